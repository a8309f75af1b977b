// An end date takes effect on time, in real time, without anybody touching anything.
import { account, api, at, demo, enter, idOf, is, isActive, isMember, mars, settled, shot, test, until } from './world.mjs';

const group = demo.groups.Developers;
const barry = await at('barry', `/admin/spaces/${demo.space_ids.mars}`);
await test('a membership with an end in a few seconds: Geoff is in, and at the end he is out by itself', async () => {
  const geoff = await at('geoff');
  const id = await idOf('geoff');
  const end = Date.now() + 12_000;
  await api('PUT', `/groups/${group}/members/people/${id}`, { until: new Date(end).toISOString() });
  await until('he is in', () => isMember('mars', 'Developers', 'geoff'), 10_000);
  await geoff.goto(`${demo.odcm}/`);
  is('his launcher has Mars', await geoff.getByRole('link', { name: 'Mars' }).count());
  await enter(geoff, mars);
  await geoff.getByText('Hello, Geoff').waitFor();
  const page = await barry.context().newPage();
  await page.goto(`${demo.odcm}/admin/groups/${group}`);
  is('the portal says until when, with the zone', /until \d{4}-\d\d-\d\d \d\d:\d\d.*UTC/.test((await page.locator('main').innerText()).replace(/\s+/g, ' ')));
  await shot(page, '30-until');
  const before = (await barry.locator('main').innerText()).match(/applied, revision (\d+)/)[1];
  is('nothing was taken early', Date.now() >= end || await isActive('mars', 'geoff'));
  const lost = await until('he is out of the team and inactive', async () => !(await isMember('mars', 'Developers', 'geoff')) && !(await isActive('mars', 'geoff')) && Date.now(), 40_000);
  is('not before the end', lost >= end);
  console.log(`     ${lost - end} ms after the end`);
  await until('the portal shows the new revision without a reload', async () => (await barry.locator('main').innerText()).match(/applied, revision (\d+)/)?.[1] > before);
  await geoff.goto(`${mars}/app`);
  is('he is signed out of Mars', !(await geoff.getByText('Hello, Geoff').count()));
  await enter(geoff, mars);
  await geoff.waitForURL(u => u.origin === demo.odcm);
  is('ODCM refuses him', /no access to Mars/.test(await geoff.locator('body').innerText()));
  await geoff.goto(`${demo.odcm}/`);
  is('his launcher is empty', !(await geoff.getByRole('link', { name: 'Mars' }).count()));
  await page.reload();
  is('the membership is shown as over', /over/.test(await page.locator('main').innerText()));
  await geoff.context().close();
});
await api('DELETE', `/groups/${group}/members/people/${await idOf('geoff')}`);
await settled('mars');
await barry.context().close();
