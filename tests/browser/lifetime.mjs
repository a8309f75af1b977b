// The demo as a newcomer starts it: Ctrl-C ends every process, the next run finds everything again, the stand-ins' too.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { demo, enter, is, person, rest, same, scratch, shot, signIn, test, until } from './world.mjs';

const data = `${scratch}/second`, port = Number(process.env.ODCM_TEST_PORT ?? 18080) + 100;
const alive = pid => { try { process.kill(pid, 0); return true; } catch { return false; } };
let conductor, said = '';
const start = async run => {
  const file = `${scratch}/second-${run}.json`;
  said = '';
  // a process group of its own: Ctrl-C in a terminal goes to all processes of the group
  conductor = spawn(demo.program, ['--data', data, '--port', String(port), '--describe', file], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  for (const stream of [conductor.stdout, conductor.stderr]) stream.on('data', d => { said += d; });
  await until('the demo is ready', () => { if (conductor.exitCode !== null) throw new Error(said); return existsSync(file) && /Ctrl-C stops/.test(said); }, 120_000);
  return JSON.parse(readFileSync(file, 'utf8'));
};
const ctrlC = async () => {
  const ended = once(conductor, 'exit');
  process.kill(-conductor.pid, 'SIGINT');
  return (await ended)[0];
};
process.on('exit', () => { if (conductor && conductor.exitCode === null) try { process.kill(-conductor.pid, 'SIGKILL'); } catch { /* gone */ } });
const octopusOf = d => rest(new URL(d.spaces.mars).port, d.admin_keys.mars);
let first, bobThere;
await test('the first run says what there is: addresses, sign-ins, processes, what to try', async () => {
  first = await start(1);
  for (const what of [first.odcm, first.spaces.mars, first.spaces.venus, first.passwords.bob, 'agent mars', 'Try:', '[6/6]']) is(`it prints ${what}`, said.includes(what));
  for (const pid of Object.values(first.pids)) is(`it prints the pid ${pid}`, said.includes(`pid ${pid}`));
  const octopus = octopusOf(first);
  bobThere = (await octopus('/api/users/all')).find(u => u.Username === 'bob').Id;
  await octopus('/api/teams', { method: 'POST', body: { Name: 'Made by hand', MemberUserIds: [], ExternalSecurityGroups: [] } });
  const answer = await fetch(`${first.odcm}/api/v1/groups`, { method: 'POST', headers: { Authorization: `Bearer ${first.token}`, 'Content-Type': 'application/json' }, body: '{"name":"Made at noon"}' });
  is(`a group is made (${answer.status})`, answer.status === 201);
});
await test('Ctrl-C ends every process that it started, quietly', async () => {
  const pids = Object.values(first.pids);
  same('five processes', pids.length, 5);
  const code = await ctrlC();
  same('exit code', code, 0);
  for (const [name, pid] of Object.entries(first.pids)) is(`${name} is gone`, !alive(pid));
  is(`no complaint: ${said.split('stopping').pop()}`, !/has ended|cannot|failed/.test(said.split('stopping').pop()));
});
await test('the second run finds everything, the stand-ins\' data too', async () => {
  const second = await start(2);
  is('passwords are printed once', !said.includes(first.passwords.bob) && /new-passwords/.test(said));
  const octopus = octopusOf(second);
  is('the team made by hand', (await octopus('/api/teams/all')).some(t => t.Name === 'Made by hand'));
  same('Bob\'s account', (await octopus('/api/users/all')).find(u => u.Username === 'bob').Id, bobThere);
  const groups = await (await fetch(`${second.odcm}/api/v1/groups`, { headers: { Authorization: `Bearer ${second.token}` } })).json();
  is('the group', groups.items.some(g => g.name === 'Made at noon'));
  const bob = await person();
  await enter(bob, second.spaces.mars);
  await signIn(bob, 'bob', first.passwords.bob);
  await bob.getByText('Hello, Bob Specialist').waitFor();
  await shot(bob, '50-second-run');
  await bob.context().close();
});
await test('a killed agent is announced, its name typed starts it again', async () => {
  const second = JSON.parse(readFileSync(`${scratch}/second-2.json`, 'utf8'));
  process.kill(second.pids['agent mars'], 'SIGKILL');
  await until('it says how', () => /agent mars has ended.*type `mars`/.test(said));
  conductor.stdin.write('mars\n');
  await until('it runs again', () => /agent mars runs again, pid \d+/.test(said));
  const again = Number(said.match(/runs again, pid (\d+)/)[1]);
  same('exit code', await ctrlC(), 0);
  for (const pid of [...Object.values(second.pids), again]) is(`${pid} is gone`, !alive(pid));
});
