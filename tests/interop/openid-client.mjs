// npm openid-client 6 (a certified relying party) against ODCM, through its real pages without JavaScript.
// node openid-client.mjs ISSUER CLIENT SECRET REDIRECT USER PASSWORD
import * as c from 'openid-client';
import { execFileSync } from 'node:child_process';

const [issuer, id, secret, redirect, user, password] = process.argv.slice(2);
const flow = new URL('./webflow.py', import.meta.url).pathname;
let passed = 0, failed = 0;
const ok = (name, good) => { good ? passed++ : failed++; console.log(good ? 'ok  ' : 'FAIL', name); };
const test = async (name, f) => {
  try { ok(name, (await f()) !== false); } catch (e) { ok(`${name}: ${e.code ?? ''} ${e.message} ${e.cause ? JSON.stringify(e.cause) : ''}`.slice(0, 300), false); }
};
const refuses = async (name, f) => { try { await f(); ok(name, false); } catch (e) { ok(`${name} (${e.error ?? e.code ?? e.message})`, true); } };
const insecure = { execute: [c.allowInsecureRequests] };
const discover = auth => c.discovery(new URL(issuer), id, undefined, auth, insecure);
const browser = url => new URL(execFileSync(process.env.PY ?? 'python3',
  [flow, String(url), '--stop', redirect, '--user', user, '--password', password], { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim());

const config = await discover(c.ClientSecretBasic(secret));
async function begin(extra = {}) {
  const verifier = c.randomPKCECodeVerifier(), state = c.randomState(), nonce = c.randomNonce();
  const url = c.buildAuthorizationUrl(config, {
    redirect_uri: redirect, scope: 'openid profile email offline_access', prompt: 'consent', state, nonce,
    code_challenge: await c.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...extra });
  return { url, verifier, state, nonce };
}
async function signIn(using = config) {
  const b = await begin(), back = browser(b.url);
  const checks = { pkceCodeVerifier: b.verifier, expectedState: b.state, expectedNonce: b.nonce, idTokenExpected: true };
  return { back, checks, tokens: await c.authorizationCodeGrant(using, back, checks) };
}
let a;
await test('code flow: signature, nonce, state and iss are checked', async () => { a = await signIn(); return a.tokens.claims().sub && a.tokens.access_token; });
await test('the ID token has auth_time, sid and at_hash', async () => { const t = a.tokens.claims(); return Boolean(t.auth_time && t.sid && t.at_hash); });
await test('userinfo has the same sub and the address', async () => (await c.fetchUserInfo(config, a.tokens.access_token, a.tokens.claims().sub)).email === `${user}@solar.example`);
await test('refresh rotates', async () => { a.fresh = await c.refreshTokenGrant(config, a.tokens.refresh_token); return a.fresh.access_token !== a.tokens.access_token && a.fresh.refresh_token !== a.tokens.refresh_token; });
await refuses('a used refresh token is refused', () => c.refreshTokenGrant(config, a.tokens.refresh_token));
await refuses('and its family is dead', () => c.refreshTokenGrant(config, a.fresh.refresh_token));
await test('client_secret_post', async () => { const t = (await signIn(await discover(c.ClientSecretPost(secret)))).tokens; return t.access_token; });
await test('client_credentials', async () => (await c.clientCredentialsGrant(config)).access_token);
await test('revocation, then userinfo refuses', async () => {
  const b = await signIn();
  await c.tokenRevocation(config, b.tokens.access_token);
  try { await c.fetchUserInfo(config, b.tokens.access_token, b.tokens.claims().sub); return false; } catch { return true; }
});
await refuses('a replayed code is refused', async () => { const b = await signIn(); b.again = true; await c.authorizationCodeGrant(config, b.back, b.checks); });
await refuses('a wrong verifier is refused', async () => {
  const b = await begin(), back = browser(b.url);
  await c.authorizationCodeGrant(config, back, { pkceCodeVerifier: c.randomPKCECodeVerifier(), expectedState: b.state, expectedNonce: b.nonce });
});
await refuses('a wrong secret is refused', async () => c.clientCredentialsGrant(await discover(c.ClientSecretBasic('wrong'))));
await test('prompt=none without a session answers login_required', async () => {
  const b = await begin({ prompt: 'none' }), back = browser(b.url);
  return back.searchParams.get('error') === 'login_required' && back.searchParams.get('state') === b.state;
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
