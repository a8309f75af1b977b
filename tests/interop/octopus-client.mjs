// The unmodified npm client @octopusdeploy/api-client against the stand-in: node octopus-client.mjs URL APIKEY
import { Client, EnvironmentRepository, ProjectRepository, SpaceRepository } from '@octopusdeploy/api-client';

const [url, key] = process.argv.slice(2);
let passed = 0, failed = 0;
const test = async (name, f) => {
  try { const good = (await f()) !== false; good ? passed++ : failed++; console.log(good ? 'ok  ' : 'FAIL', name); }
  catch (e) { failed++; console.log('FAIL', name, String(e.message).slice(0, 300)); }
};
const client = await Client.create({ userAgentApp: 'odcm-tests', instanceURL: url, apiKey: key });
await test('lists spaces', async () => (await new SpaceRepository(client).list({})).Items.some(s => s.Name === 'Default'));
await test('lists environments', async () => (await new EnvironmentRepository(client, 'Default').list({})).Items.some(e => e.Name === 'Dev'));
await test('lists projects', async () => Array.isArray((await new ProjectRepository(client, 'Default').list({})).Items));
await test('reads who it is', async () => (await client.get('~/api/users/me')).IsActive === true);
await test('a wrong key is refused', async () => {
  try {
    const other = await Client.create({ userAgentApp: 'odcm-tests', instanceURL: url, apiKey: 'API-AAAAAAAAAAAAAAAAAAAAAAAAAAA' });
    await other.get('~/api/users/me');
    return false;
  } catch { return true; }
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
