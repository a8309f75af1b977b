// Why, why not, and the dry run: what it says is exactly what then happens.
import { api, at, demo, effects, idOf, is, octopus, same, settled, shot, test, until } from './world.mjs';

const barry = await at('barry', '/admin');
const ask = async (who, space) => {
  await barry.goto(`${demo.odcm}/admin/explain`);
  await barry.getByLabel('Person').fill(who);
  await barry.getByLabel('Space').selectOption({ label: space });
  await barry.getByRole('button', { name: 'Explain' }).click();
  return barry.locator('ol.way').evaluateAll(ways => ways.map(way => [...way.querySelectorAll('.stop, .edge')].map(x => (x.classList.contains('missing') ? '✗ ' : '') + x.innerText.replace(/\s+/g, ' ').trim())));
};
await test('"why can Bob enter Mars?" answers with the path, nested groups and the team', async () => {
  const id = await idOf('bob');
  const answer = await api('GET', `/explain?person=${id}&space=${demo.space_ids.mars}`);
  is('yes', answer.may_enter);
  is('the sentences name the group', answer.sentences.join(' ').includes('Developers'));
  const ways = await ask('bob', 'Mars');
  same('the way', ways, [['Bob Specialist', 'is in', 'Developers', 'may enter', 'Mars']]);
  is('the bound team', /team Developers because of Developers/.test((await barry.locator('main').innerText()).replace(/\s+/g, ' ')));
  await shot(barry, '12-explain');
});
await test('"why not?" answers with the shortest way that lacks one edge', async () => {
  const ways = await ask('geoff', 'Venus');
  for (const way of ways) same(`exactly one edge is missing in ${way}`, way.filter(x => x.startsWith('✗')).length, 1);
  same('the nearest way first', ways[0], ['Geoff Outsider', '✗ is not in missing', 'Research', 'may enter', 'Venus']);
  is('a plain no', /may not enter Venus/.test(await barry.locator('main').innerText()));
  await shot(barry, '31-why-not');
});
await test('through a nested group as well', async () => {
  const outer = (await api('POST', '/groups', { name: 'Contractors' })).id;
  await api('PUT', `/groups/${demo.groups.Research}/members/groups/${outer}`, {});
  await api('PUT', `/groups/${outer}/members/people/${await idOf('geoff')}`, {});
  const ways = await ask('geoff', 'Venus');
  same('the way', ways, [['Geoff Outsider', 'is in', 'Contractors', 'is in', 'Research', 'may enter', 'Venus']]);
  await shot(barry, '32-nested');
  await settled('venus');
});
// What holds in both Spaces: who is active, and who stands in the bound teams, by the names of the dry run.
const world = async () => {
  const found = [];
  for (const [slug, space, team] of [['mars', 'Mars', 'Developers'], ['venus', 'Venus', 'Research']]) {
    await settled(slug);
    const users = (await octopus(slug, '/api/users/all')).filter(u => !['admin', 'odcm-agent'].includes(u.Username) && u.IsActive);
    for (const u of users) found.push(`${u.DisplayName} entry to ${space}`);
    const members = (await octopus(slug, '/api/teams/all')).find(t => t.Name === team).MemberUserIds;
    for (const u of users.filter(u => members.includes(u.Id))) found.push(`${u.DisplayName} membership in ${team} as known in ${space}`);
  }
  return found.sort();
};
const difference = (before, after) => [...after.filter(x => !before.includes(x)).map(x => `gains ${x}`), ...before.filter(x => !after.includes(x)).map(x => `loses ${x}`)].sort();
// Groups that no team is bound to travel too; Octopus shows them nowhere.
const visible = lines => lines.filter(l => !/membership in (?!Developers as known in Mars|Research as known in Venus)/.test(l));
const does = async (what, expected) => {
  const said = await effects(barry);
  for (const line of expected) is(`the dry run of ${what} says “${line}”: ${said.join('; ')}`, said.includes(line));
  const before = await world();
  await barry.locator('form[method=post] button.primary').click();
  await barry.getByRole('status').first().waitFor();
  same(`what ${what} then did in the Spaces`, difference(before, await world()), visible(said));
};
await test('the dry run of taking a grant away lists exactly who loses what', async () => {
  await barry.goto(`${demo.odcm}/admin/spaces/${demo.space_ids.venus}/access`);
  await barry.getByRole('link', { name: 'Revoke the grant of Research' }).click();
  await shot(barry, '33-revoke-grant');
  await does('the revocation', ['loses Bob Specialist entry to Venus', 'loses Geoff Outsider entry to Venus', 'loses Bob Specialist membership in Research as known in Venus', 'loses Geoff Outsider membership in Research as known in Venus']);
});
await test('and of giving it back, who gains what', async () => {
  await barry.goto(`${demo.odcm}/admin/spaces/${demo.space_ids.venus}/grants/add?q=Research`);
  await barry.getByRole('radio', { name: /Research/ }).check();
  await barry.getByRole('button', { name: 'Continue' }).click();
  await does('the grant', ['gains Bob Specialist entry to Venus', 'gains Geoff Outsider entry to Venus']);
});
await test('the dry run of a membership, asked for without making it, changes nothing; made, it does what it said', async () => {
  const before = await world();
  await barry.goto(`${demo.odcm}/admin/explain/change`);
  await barry.getByLabel('Person or group').fill('Contractors');
  await barry.getByLabel('Change', { exact: true }).selectOption('leave');
  await barry.getByLabel('Group or Space').fill('Research');
  await barry.getByRole('button', { name: 'Try' }).click();
  const said = await effects(barry);
  is(`Geoff loses entry: ${said}`, said.includes('loses Geoff Outsider entry to Venus') && !said.some(l => /Bob/.test(l)));
  await shot(barry, '34-what-if');
  same('nothing happened', await world(), before);
  await barry.goto(`${demo.odcm}/admin/groups/${demo.groups.Research}`);
  await barry.getByRole('link', { name: 'Remove Contractors' }).click();
  same('the question says the same', await effects(barry), said);
  await does('the removal', said);
});
await barry.context().close();
