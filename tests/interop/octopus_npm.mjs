// The unmodified npm client @octopusdeploy/api-client against the stand-in Octopus server.
//   node octopus_npm.mjs    (MODULES: folder with node_modules, STANDIN: the program; both have defaults)
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const modules = process.env.MODULES ?? path.join(root, 'tests/.cache/node');
const program = process.env.STANDIN ?? path.join(root, 'target/debug/octopus-standin');
const require = createRequire(path.join(modules, 'package.json'));
const { Client, DeploymentRepository, EnvironmentRepository, ProjectRepository, ReleaseRepository, SpaceRepository, checkForCapability,
  userGetCurrent } =
  require('@octopusdeploy/api-client');

const key = 'API-NPMCLIENT';
const standin = spawn(program, ['--admin-key', key], { stdio: ['ignore', 'pipe', 'inherit'] });
const instanceURL = await new Promise((resolve, reject) => {
  let text = '';
  standin.stdout.on('data', data => { text += data; const found = /listening on (\S+)/.exec(text); if (found) resolve(found[1]); });
  standin.on('exit', code => reject(new Error(`the stand-in ended with ${code}`)));
  standin.on('error', reject);
});

let passed = 0, failed = 0;
const test = async (name, body) => {
  try { await body(); passed += 1; console.log(`ok ${name}`); }
  catch (error) { failed += 1; console.log(`FAILED ${name}: ${error.stack ?? error.message}`); }
};
const equal = (left, right) => {
  const [one, other] = [JSON.stringify(left), JSON.stringify(right)];
  if (one !== other) throw new Error(`${one} is not ${other}`);
};
const names = list => list.Items.map(item => item.Name);
const connect = apiKey => Client.create({ userAgentApp: 'odcm-tests', instanceURL, apiKey });

const client = await connect(key);
await test('server information', async () => equal((await client.getServerInformation()).version, '2023.1.9626'));
await test('the signed-in user', async () => equal((await userGetCurrent(client)).Username, 'odcm-agent'));
await test('spaces by name', async () => equal(names(await new SpaceRepository(client).list({ partialName: 'Default' })), ['Default']));
await test('a new space', async () => {
  const made = await new SpaceRepository(client).create({ Name: 'Second', SpaceManagersTeams: [], SpaceManagersTeamMembers: ['Users-1'] });
  equal(names(await new SpaceRepository(client).list({ partialName: 'second' })), [made.Name]);
});
await test('projects', async () => equal(names(await new ProjectRepository(client, 'Default').list({})), ['Orbital']));
await test('environments', async () => {
  const environments = new EnvironmentRepository(client, 'Default');
  equal(names(await environments.list({})), ['Dev', 'Test', 'Production']);
  const made = await environments.create({ Name: 'Staging' });
  equal((await environments.get(made.Id)).Name, 'Staging');
  equal(names(await environments.list({ partialName: 'stag' })), ['Staging']);
});
await test('a release, deployed by names', async () => {
  const released = await new ReleaseRepository(client, 'Default').create({ spaceName: 'Default', ProjectName: 'Orbital', ReleaseVersion: '2.0.0' });
  equal(released.ReleaseVersion, '2.0.0');
  const deployments = new DeploymentRepository(client, 'Default');
  const made = await deployments.create({ spaceName: 'Default', ProjectName: 'Orbital', ReleaseVersion: '2.0.0', EnvironmentNames: ['Dev', 'Test'] });
  equal(made.DeploymentServerTasks.length, 2);
  equal((await deployments.get(made.DeploymentServerTasks[0].DeploymentId)).Name, 'Deploy to Dev');
});
await test('a capability', async () => equal(await checkForCapability(client, 'GetAllSpacesRequest', '2018.1'), null));
await test('a wrong key is refused', async () => {
  let refused = null;
  try { await new SpaceRepository(await connect('API-WRONG')).list({}); } catch (error) { refused = error; }
  if (!refused || !/API key/.test(refused.message + JSON.stringify(refused))) throw new Error(`not refused as expected: ${refused}`);
});

standin.removeAllListeners('exit');
standin.kill('SIGTERM');
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
