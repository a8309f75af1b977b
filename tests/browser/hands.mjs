// What somebody does by hand inside Octopus, while the agent runs and while it is down; a local deactivation; a killed agent.
import { account, api, at, demo, enter, eventsOf, idOf, is, isActive, isMember, killAgent, localAdmin, mars, settled, shot, startAgent, status, test, until } from './world.mjs';

const group = demo.groups.Developers;
const barry = await at('barry', '/admin');
const watch = await barry.context().newPage();
const admin = await localAdmin(mars, demo.admin_passwords.mars);
const tick = async names => {
  await admin.goto(`${mars}/app/teams`);
  await admin.getByRole('link', { name: 'Developers' }).click();
  for (const [name, member] of Object.entries(names)) await admin.getByLabel(name).setChecked(member);
  await admin.getByRole('button', { name: 'Save members' }).click();
  await admin.waitForLoadState();
};
await test('somebody edits a bound team by hand: found, reported, put right', async () => {
  await tick({ 'Bob Specialist': false });
  is('the edit is accepted', !(await isMember('mars', 'Developers', 'bob')));
  await until('Bob is back', () => isMember('mars', 'Developers', 'bob'), 30_000);
  await until('the portal reports it', async () => /Drift found and repaired/.test(await eventsOf(watch, 'mars')));
  const said = (await watch.locator('main').innerText()).replace(/\s+/g, ' ');
  is(`it says to whom and by whom: ${said}`, said.includes('Drift found and repaired: Bob Specialist in Developers') && said.includes('bob was removed from team Developers by admin, inside the Space'));
  await shot(watch, '10-drift');
});
await test('a killed agent: offline and pending are shown live, then it converges', async () => {
  await watch.goto(`${demo.odcm}/admin/spaces/${demo.space_ids.mars}`);
  await killAgent('mars');
  await watch.getByText('offline').first().waitFor();
  await api('PUT', `/groups/${group}/members/people/${await idOf('geoff')}`, {});
  is('since when is known', (await status('mars')).agent.since);
  await until('the page shows without a reload that a change waits', async () => /pending since/.test(await watch.locator('main').innerText()));
  is('the page says since when', /offline\s+since \d{4}-\d\d-\d\d/.test(await watch.locator('main').innerText()));
  await shot(watch, '11-offline');
});
await test('a bound team edited by hand while the agent is down: found, reported and repaired when it is back', async () => {
  const before = (await eventsOf(watch, 'mars')).match(/Drift found and repaired/g).length;
  await tick({ 'Bob Specialist': false, 'Lisa Shipping': true });
  is('the edit is accepted', !(await isMember('mars', 'Developers', 'bob')) && await isMember('mars', 'Developers', 'lisa'));
  startAgent('mars');
  await settled('mars');
  is('what was pending is applied: Geoff', await isActive('mars', 'geoff') && await isMember('mars', 'Developers', 'geoff'));
  await until('Bob is back, Lisa is out', async () => await isMember('mars', 'Developers', 'bob') && !(await isMember('mars', 'Developers', 'lisa')), 30_000);
  await until('the portal reports both', async () => (await eventsOf(watch, 'mars')).match(/Drift found and repaired/g).length >= before + 2);
  const said = (await watch.locator('main').innerText()).replace(/\s+/g, ' ');
  is(`by name, and says who did it: ${said}`, said.includes('Lisa Shipping in Developers') && said.includes('lisa was added to team Developers by admin, inside the Space'));
  await shot(watch, '16-drift-offline');
});
await test('an account that the Space disables stays disabled, and everybody is told (A4)', async () => {
  await admin.goto(`${mars}/app/users`);
  await admin.getByRole('button', { name: 'Disable Lisa Shipping' }).click();
  await until('the portal reports that it respects it', async () => /respected/.test(await eventsOf(watch, 'mars')), 30_000);
  await shot(watch, '17-local-no');
  await watch.goto(`${demo.odcm}/admin/spaces/${demo.space_ids.mars}`);
  await until('the page of Mars lists her', async () => /disabled by the Space itself\s*Lisa Shipping/.test(await watch.locator('main').innerText()));
  await watch.goto(`${demo.odcm}/admin/people/${await idOf('lisa')}`);
  is('so does her own page', /disabled by the Space/.test(await watch.locator('main').innerText()));
  // a change that names her does not lift it
  const id = await idOf('lisa');
  await api('PUT', `/groups/${group}/members/people/${id}`, {});
  await settled('mars');
  await api('DELETE', `/groups/${group}/members/people/${id}`);
  await settled('mars');
  is('still inactive', !(await isActive('mars', 'lisa')));
  const lisa = await at('lisa');
  is('her launcher says so', /disabled your account there/.test(await lisa.locator('main').innerText()));
  await shot(lisa, '18-disabled-there');
  await enter(lisa, mars);
  await lisa.waitForURL(u => u.origin === demo.odcm);
  is('ODCM refuses and says who can help', /disabled inside Mars/.test(await lisa.locator('body').innerText()));
  await lisa.context().close();
});
await test('enabled again by the Space, she enters again', async () => {
  await admin.goto(`${mars}/app/users`);
  await admin.getByRole('button', { name: 'Enable Lisa Shipping' }).click();
  const lisa = await at('lisa');
  await until('ODCM knows', async () => { await lisa.goto(`${demo.odcm}/`); return await lisa.getByRole('link', { name: 'Mars' }).count(); }, 30_000);
  await lisa.getByRole('link', { name: 'Mars' }).click();
  await lisa.getByText('Hello, Lisa').waitFor();
  await lisa.context().close();
  await api('DELETE', `/groups/${group}/members/people/${await idOf('geoff')}`);
  await settled('mars');
});
await admin.context().close();
await barry.context().close();
