// An administrator of Mars binds a second team by hand; Bob stands in two bound groups, loses one, and exactly that team's permission.
import { account, api, at, demo, effects, enter, idOf, is, isMember, localAdmin, mars, octopus, ownKey, same, settled, shot, team, test, until } from './world.mjs';

const may = async (page, environment) => {
  await page.goto(`${mars}/app`);
  return page.locator('form.card', { has: page.getByRole('heading', { name: environment }) }).getByText('may deploy', { exact: true }).count();
};
const deploy = async (page, environment) => {
  await page.goto(`${mars}/app`);
  await page.getByRole('button', { name: new RegExp(`to ${environment}$`) }).click();
  return page.locator('[role=status]').first().innerText();
};
const barry = await at('barry', '/admin');
let testers;
await test('Barry makes the group Testers, gives it Mars and copies its id', async () => {
  await barry.goto(`${demo.odcm}/admin/groups/new`);
  await barry.getByLabel('Name').fill('Testers');
  await barry.locator('form[method=post] button.primary').click();
  testers = await barry.getByLabel('Id of the group').inputValue();
  await barry.goto(`${demo.odcm}/admin/spaces/${demo.space_ids.mars}/grants/add?q=Testers`);
  await barry.getByRole('radio', { name: /Testers/ }).check();
  await barry.getByRole('button', { name: 'Continue' }).click();
  await barry.locator('form[method=post] button.primary').click();
  await barry.getByText('Testers').first().waitFor();
  await api('PUT', `/groups/${testers}/members/people/${await idOf('bob')}`, {});
});
await test('an administrator of Mars binds it to a team: within ten seconds Bob is in it and may deploy to Test', async () => {
  const admin = await localAdmin(mars, demo.admin_passwords.mars);
  await admin.goto(`${mars}/app/teams`);
  await admin.getByLabel('Name').fill('Quality');
  await admin.getByRole('button', { name: 'Add team' }).click();
  if (!/Teams-/.test(admin.url())) await admin.getByRole('link', { name: 'Quality' }).click();
  await admin.getByLabel('Group id').fill(testers);
  await admin.getByLabel('Name').fill('Testers');
  await admin.getByRole('button', { name: 'Add group' }).click();
  await admin.getByLabel('Test', { exact: true }).check();
  await admin.getByRole('button', { name: 'Add role' }).click();
  await until('the agent fills the team', () => isMember('mars', 'Quality', 'bob'), 30_000);
  await shot(admin, '13-octopus-team');
  await admin.context().close();
  await barry.goto(`${demo.odcm}/admin/groups/${testers}`);
  await until('the portal shows the bound team', async () => { await barry.reload(); return /Quality in Mars/.test((await barry.locator('main').innerText()).replace(/\s+/g, ' ')); });
});
await test('Bob loses Testers: exactly the right to deploy to Test goes, for his session and his key', async () => {
  const bob = await at('bob');
  await enter(bob, mars);
  await bob.getByText('Hello, Bob').waitFor();
  is('Dev and Test before', await may(bob, 'Dev') && await may(bob, 'Test'));
  const key = await ownKey(bob, 'bob script');
  const names = async () => (await octopus('mars', `/api/users/${(await account('mars', 'bob')).Id}/teams?spaces=all&includeSystem=true`, { as: key })).map?.(t => t.Name).filter(n => n !== 'Everyone').sort();
  same('teams by key before', await names(), ['Developers', 'Quality']);
  await barry.goto(`${demo.odcm}/admin/groups/${testers}`);
  await barry.getByRole('link', { name: 'Remove Bob Specialist' }).click();
  same('what the dry run says', await effects(barry), ['loses Bob Specialist membership in Testers as known in Mars']);
  await shot(barry, '14-one-of-two');
  await barry.locator('form[method=post] button.primary').click();
  await until('Bob is out of Quality', async () => !(await isMember('mars', 'Quality', 'bob')));
  is('still in Developers', await isMember('mars', 'Developers', 'bob'));
  is('still signed in, still Dev', await may(bob, 'Dev'));
  is('no longer Test', !(await may(bob, 'Test')));
  is('Test is refused', /DeploymentCreate/.test(await deploy(bob, 'Test')));
  is('Dev is accepted', !/DeploymentCreate/.test(await deploy(bob, 'Dev')));
  same('teams by key after', await names(), ['Developers']);
  await bob.context().close();
});
await test('deleting the group says first what it does', async () => {
  await barry.goto(`${demo.odcm}/admin/groups/${testers}`);
  await barry.getByRole('link', { name: 'Delete' }).click();
  await shot(barry, '15-delete-group');
  for (const box of await barry.locator('form[method=post] input[type=checkbox]').all()) await box.check();
  await barry.locator('form[method=post] button.primary').click();
  await barry.waitForURL(u => u.pathname === '/admin/groups');
  await settled('mars');
  is('the team stays in Mars', await team('mars', 'Quality'));
});
await barry.context().close();
