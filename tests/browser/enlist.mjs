// A third Octopus server that already has people is enlisted: nobody is matched silently, an administrator decides (A6).
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
import { api, at, demo, enter, is, localAdmin, rest, run, same, scratch, shot, stop, test, until } from './world.mjs';

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer();
  server.on('error', reject);
  server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => resolve(port)); });
});
const port = await freePort();
const pluto = `http://pluto.localhost:${port}`;
const adminKey = 'API-PLUTOADMINISTRATOR0000001', adminPassword = 'Plut0-is-a-planet!', oldPassword = 'Old-b0b-password!';
const old = rest(port, adminKey);
const standin = run('octopus-standin', ['--listen', `127.0.0.1:${port}`, '--public-url', pluto, '--name', 'Pluto', '--version', '2024.1.9999', '--odcm-url', demo.odcm,
  '--data', `${scratch}/pluto.json`], { env: { OCTOPUS_STANDIN_ADMIN_KEY: adminKey, OCTOPUS_STANDIN_ADMIN_PASSWORD: adminPassword } });
const barry = await at('barry', '/admin');
let agent, space, bobThere, bobsKey, zoe;
const everybody = async () => (await old('/api/users/all')).filter(u => !['admin', 'odcm-agent'].includes(u.Username)).map(u => `${u.Id} ${u.Username} ${u.IsActive}`).sort();

await test('there is an Octopus server with people of its own', async () => {
  await until('Pluto answers', () => old('/api/users/me'));
  const create = body => old('/api/users', { method: 'POST', body: { IsActive: true, IsService: false, ...body } });
  // Bob's old account has his address, another user name, a password, an API key, a team; Zoe is nobody's
  bobThere = await create({ Username: 'bspec', DisplayName: 'Robert S.', EmailAddress: 'bob@solar.example', Password: oldPassword });
  zoe = await create({ Username: 'zoe', DisplayName: 'Zoe Local', EmailAddress: 'zoe@elsewhere.example', Password: 'Zoe-only-h3re!' });
  await old('/api/teams', { method: 'POST', body: { Name: 'Old hands', MemberUserIds: [bobThere.Id, zoe.Id], ExternalSecurityGroups: [] } });
  const login = await fetch(`http://127.0.0.1:${port}/api/users/login`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ Username: 'bspec', Password: oldPassword }) });
  is(`Bob signs in the old way (${login.status})`, login.ok);
  const cookies = login.headers.getSetCookie().map(c => c.split(';')[0]);
  const csrf = cookies.find(c => c.startsWith('Octopus-Csrf-Token')).split('=').slice(1).join('=');
  const made = await fetch(`http://127.0.0.1:${port}/api/users/${bobThere.Id}/apikeys`, { method: 'POST', body: JSON.stringify({ Purpose: 'nightly build' }),
    headers: { 'Content-Type': 'application/json', Cookie: cookies.join('; '), 'X-Octopus-Csrf-Token': csrf } });
  bobsKey = (await made.json()).ApiKey;
  same('his key works', (await old('/api/users/me', { as: bobsKey })).Id, bobThere.Id);
});
await test('Barry enlists Pluto in the portal and copies the enrolment command', async () => {
  await barry.goto(`${demo.odcm}/admin/spaces`);
  await barry.getByRole('link', { name: /enlist/i }).first().click();
  await barry.getByLabel('Name', { exact: true }).fill('Pluto');
  await barry.getByLabel('Short name').fill('pluto');
  await barry.getByLabel(/URL/).fill(pluto);
  await barry.locator('form[method=post] button.primary').click();
  await barry.getByText('No agent yet').waitFor();
  space = new URL(barry.url()).pathname.split('/')[3];
  await shot(barry, '20-enlisted');
  await barry.getByRole('link', { name: 'Enrol an agent' }).click();
  await barry.getByRole('button', { name: 'Make enrolment code' }).click();
  await shot(barry, '21-code');
  const command = await barry.getByRole('textbox', { name: 'Command' }).inputValue();
  is(`the command is whole: ${command}`, command.startsWith(`odcm-agent enroll --url ${demo.odcm} --code `) && command.includes(`--octopus-url ${pluto}`));
  // the group Developers may enter; Bob is in it
  await api('POST', `/spaces/${space}/grants`, { subject: { kind: 'group', id: demo.groups.Developers } });
  writeFileSync(`${scratch}/pluto.key`, adminKey, { mode: 0o600 });
  const args = command.split(' ').slice(1).join(' ')
    .replace(`--octopus-url ${pluto}`, `--octopus-url http://127.0.0.1:${port} --octopus-public-url ${pluto}`)
    .replace('octopus.key', `${scratch}/pluto.key`).split(' ');
  const enroll = run('odcm-agent', [...args, '--state', `${scratch}/agent-pluto`], { keep: true });
  await until('enrolled', () => /Enrolled as agent/.test(enroll.said) || (enroll.exitCode && Promise.reject(new Error(enroll.said))));
  const again = run('odcm-agent', [...args, '--state', `${scratch}/agent-twice`], { keep: true });
  await until('the code works once', () => again.exitCode !== null);
  is(`a used code is refused: ${again.said}`, again.exitCode !== 0 && /code/.test(again.said));
  agent = run('odcm-agent', ['run', '--state', `${scratch}/agent-pluto`]);
});
await test('nobody is matched silently: the portal lists the candidate with all that hangs on it', async () => {
  const before = await everybody();
  await until('one decision waits', async () => (await api('GET', `/spaces/${space}/status`)).undecided === 1, 30_000);
  same('no account was made, linked or changed', await everybody(), before);
  same('the old key still works', (await old('/api/users/me', { as: bobsKey })).Id, bobThere.Id);
  await barry.goto(`${demo.odcm}/admin`);
  await shot(barry, '22-to-decide');
  await barry.getByRole('link', { name: /1 to decide/ }).click();
  const text = (await barry.locator('main').innerText()).replace(/\s+/g, ' ');
  for (const what of ['Bob Specialist', 'bspec', 'Robert S.', 'bob@solar.example', bobThere.Id, 'same email', 'may have a password', '1 API key', 'team Old hands']) is(`it shows “${what}”: ${text}`, text.includes(what));
  is('nobody asks about Zoe', !/zoe/i.test(text));
  await shot(barry, '23-candidates');
});
const bob = await at('bob');
await test('until then ODCM refuses Bob at Pluto, with a page that says what for', async () => {
  await until('Pluto has its sign-in', async () => { await bob.goto(`${pluto}/app/sign-in?manual=1`); return await bob.getByRole('button', { name: /sign in with/i }).count(); }, 30_000);
  await enter(bob, pluto);
  await bob.waitForURL(u => u.origin === demo.odcm);
  const text = await bob.locator('main').innerText();
  is(`the page says that somebody must decide: ${text}`, /Waiting for an administrator/.test(text) && /Pluto/.test(text));
  await shot(bob, '24-not-yet');
  await bob.goto(`${demo.odcm}/`);
  is('so does the launcher', /Waiting for an administrator/.test(await bob.locator('main').innerText()));
});
await test('the administrator decides, after seeing what it does', async () => {
  await barry.goto(`${demo.odcm}/admin/spaces/${space}/decisions`);
  await barry.getByRole('radio', { name: /bspec/ }).check();
  await barry.getByRole('button', { name: 'Continue' }).click();
  await barry.getByText('Give the account bspec to Bob Specialist?').waitFor();
  const does = await barry.locator('main').innerText();
  is(`it says what it does: ${does}`, /password is replaced/.test(does) && /API keys are deleted/.test(does) && /Old hands/.test(does));
  await shot(barry, '25-decide');
  await barry.getByRole('button', { name: 'Give account' }).click();
  await barry.getByText(/Decided/).first().waitFor();
  await until('the page says linked', async () => { await barry.reload(); return /linked/.test(await barry.locator('main').innerText()); }, 30_000);
});
await test('Bob enters with the old account, signed in through ODCM', async () => {
  await bob.goto(`${demo.odcm}/`);
  await until('the launcher lets him in', async () => { await bob.reload(); return await bob.getByRole('link', { name: 'Pluto' }).count(); }, 30_000);
  await bob.getByRole('link', { name: 'Pluto' }).click();
  await bob.getByText('Hello, Bob Specialist').waitFor();
  is('it is the same Users-N', (await bob.locator('main').innerText()).includes(bobThere.Id));
  is('still in the old team', /Old hands/.test(await bob.locator('main').innerText()));
  await shot(bob, '26-old-account');
  const now = await old('/api/users/all');
  same('and no other account was made for him', now.filter(u => u.EmailAddress === 'bob@solar.example').map(u => u.Id), [bobThere.Id]);
});
await test('what others knew of the account opens nothing any more; local people are left alone', async () => {
  same('the old key', await old('/api/users/me', { as: bobsKey }).catch(e => e.status), 401);
  const login = (user, password) => fetch(`http://127.0.0.1:${port}/api/users/login`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ Username: user, Password: password }) });
  for (const name of ['bspec', 'bob']) same(`the old password as ${name}`, (await login(name, oldPassword)).status, 400);
  is('Zoe signs in as ever', (await login('zoe', 'Zoe-only-h3re!')).ok);
  const admin = await localAdmin(pluto, adminPassword);
  await admin.goto(`${pluto}/app/users`);
  await shot(admin, '27-pluto-users');
  await admin.context().close();
});
await test('Pluto is un-enlisted: the page says what stays, the settings are put back', async () => {
  await stop(agent);
  const back = run('odcm-agent', ['restore-auth', '--state', `${scratch}/agent-pluto`], { keep: true });
  await until('restored', () => back.exitCode !== null, 30_000);
  is(`restore-auth: ${back.said}`, back.exitCode === 0);
  await barry.goto(`${demo.odcm}/admin/spaces/${space}/settings`);
  await barry.getByRole('link', { name: 'Un-enlist Space' }).click();
  await shot(barry, '28-un-enlist');
  for (const box of await barry.locator('form[method=post] input[type=checkbox]').all()) await box.check();
  await barry.locator('form[method=post] button.primary').click();
  await barry.waitForURL(u => u.pathname === '/admin/spaces');
  is('it is off the list', !/Pluto/.test(await barry.locator('main').innerText()));
  await bob.goto(`${pluto}/app/sign-in?manual=1`);
  is('Pluto offers no ODCM button any more', !(await bob.getByRole('button', { name: /sign in with/i }).count()));
});
if (agent) await stop(agent);
await stop(standin);
await barry.context().close();
await bob.context().close();
