// What every chapter of the story uses: the running demo, its people's browsers, the Spaces' REST APIs, the counts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { chromium } from 'playwright-core';

/// Addresses, ids, passwords and an API token of Barry (written by `odcm-demo --describe`).
export const demo = JSON.parse(readFileSync(process.env.DEMO, 'utf8'));
/// Folder of the demo's temporary files.
export const scratch = dirname(process.env.DEMO);
/// Folder of the programs, beside the demo's.
export const programs = dirname(demo.program);
export const { mars, venus } = demo.spaces;

const shots = new URL('./shots/', import.meta.url).pathname;
mkdirSync(shots, { recursive: true });

let passed = 0, failed = 0;
export const test = async (name, f) => {
  const began = Date.now();
  try { await f(); passed++; console.log(`ok   ${name} (${Date.now() - began} ms)`); }
  catch (e) { crashed(name, e); }
};
/// Counts what went wrong, also between two tests.
export const crashed = (name, e) => { failed++; console.log(`FAIL ${name}: ${String(e.message ?? e).split('\n').slice(0, 6).join(' | ').slice(0, 900)}`); };
/// Prints the counts; the exit code.
export const counts = () => { console.log(`${passed} passed, ${failed} failed`); return failed || !passed ? 1 : 0; };
export const is = (what, condition) => { if (!condition) throw new Error(what); };
export const same = (what, found, wanted) => is(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`, JSON.stringify(found) === JSON.stringify(wanted));
/// Waits until `f` gives something true; what it gives.
export const until = async (what, f, ms = 20_000) => {
  const end = Date.now() + ms;
  for (;;) {
    try { const v = await f(); if (v) return v; } catch (e) { if (Date.now() > end) throw e; }
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise(r => setTimeout(r, 50));
  }
};

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
/// A browser profile of its own.
export const person = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(30_000);
  return context.newPage();
};
export const shot = (page, name) => page.screenshot({ path: `${shots}${name}.png`, fullPage: true });

export async function signIn(page, user, password = demo.passwords[user]) {
  await page.getByLabel(/user name|e-mail/i).first().fill(user);
  await page.getByRole('button', { name: /continue|next/i }).first().click();
  await page.locator('input[type=password]').fill(password);
  await page.locator('form:has(input[type=password]) button[type=submit]').first().click();
}
/// Opens a Space and presses the button of ODCM.
export async function enter(page, space) {
  await page.goto(`${space}/app`);
  if (await page.getByRole('button', { name: /sign in with/i }).count() === 0) await page.goto(`${space}/app/sign-in`);
  await page.getByRole('button', { name: /sign in with (okta|odcm|openid|generic)/i }).first().click();
}
/// Somebody signed in to ODCM, on the page at `path`.
export async function at(user, path = '/') {
  const page = await person();
  await page.goto(demo.odcm + path);
  await signIn(page, user);
  await page.waitForURL(u => u.pathname === path);
  return page;
}
/// The local administrator, signed in to a Space with the password of that server.
export async function localAdmin(space, password) {
  const page = await person();
  await page.goto(`${space}/app/sign-in?manual=1`);
  await page.getByLabel('Username').fill('admin');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Hello, Administrator').waitFor();
  return page;
}

/// A Space's REST API (programs reach it by address), with its administrator's key unless another is given.
export const rest = (port, key) => async (path, { method = 'GET', body, as = key } = {}) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method,
    headers: { ...(as ? { 'X-Octopus-ApiKey': as } : {}), ...(body ? { 'Content-Type': 'application/json' } : {}) },
    body: body ? JSON.stringify(body) : undefined });
  const text = await answer.text();
  if (!answer.ok) throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${text}`), { status: answer.status });
  return text ? JSON.parse(text) : null;
};
const ports = Object.fromEntries(Object.entries(demo.spaces).map(([slug, url]) => [slug, new URL(url).port]));
export const octopus = (slug, path, options) => rest(ports[slug], demo.admin_keys[slug])(path, options);
export const account = async (slug, name) => (await octopus(slug, '/api/users/all')).find(u => u.Username === name);
export const team = async (slug, name) => (await octopus(slug, '/api/teams/all')).find(t => t.Name === name);
export const isMember = async (slug, teamName, user) => {
  const [t, u] = [await team(slug, teamName), await account(slug, user)];
  return Boolean(t && u && t.MemberUserIds.includes(u.Id));
};
export const isActive = async (slug, user) => Boolean((await account(slug, user))?.IsActive);
/// An API key that the person signed in on this page makes for themselves: what the Space's portal would send.
export const ownKey = async (page, purpose) => {
  const { origin, port } = new URL(page.url());
  const cookies = await page.context().cookies(origin);
  const headers = { 'Content-Type': 'application/json', Cookie: cookies.map(c => `${c.name}=${c.value}`).join('; '),
    'X-Octopus-Csrf-Token': cookies.find(c => c.name.startsWith('Octopus-Csrf-Token'))?.value };
  const ask = async (path, init = {}) => (await fetch(`http://127.0.0.1:${port}${path}`, { headers, ...init })).json();
  const made = await ask(`/api/users/${(await ask('/api/users/me')).Id}/apikeys`, { method: 'POST', body: JSON.stringify({ Purpose: purpose }) });
  if (!made.ApiKey) throw new Error(`no API key was made: ${JSON.stringify(made)}`);
  return made.ApiKey;
};

/// ODCM's API, as Barry.
export const api = async (method, path, body) => {
  const answer = await fetch(`${demo.odcm}/api/v1${path}`, { method,
    headers: { Authorization: `Bearer ${demo.token}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
    body: body ? JSON.stringify(body) : undefined });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
};
export const idOf = async user => (await api('GET', `/people?q=${user}`)).items.find(p => p.username === user).id;
export const status = slug => api('GET', `/spaces/${demo.space_ids[slug]}/status`);
/// Everything wanted in the Space is acknowledged.
export const settled = slug => until(`${slug} has what it should have`, async () => {
  const s = await status(slug);
  return s.agent?.connected && !s.marked && Object.values(s.sections).every(x => !x.pending) ? s : null;
}, 30_000);

/// Programs that the story started; whatever happens, they end with it.
const started = new Set();
/// Starts a program of the build; its output goes nowhere unless `keep`.
export const run = (program, args, { keep = false, env = {} } = {}) => {
  const child = spawn(program.includes('/') ? program : `${programs}/${program}`, args,
    { stdio: ['pipe', keep ? 'pipe' : 'ignore', keep ? 'pipe' : 'ignore'], env: { ...process.env, ...env } });
  started.add(child);
  child.on('exit', () => started.delete(child));
  if (keep) {
    child.said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', d => { child.said += d; });
  }
  return child;
};
export const gone = async child => { if (child.exitCode === null && child.signalCode === null) await once(child, 'exit'); };
export const stop = async (child, signal = 'SIGTERM') => { if (child.exitCode === null && child.signalCode === null) { child.kill(signal); await gone(child); } };
process.on('exit', () => { for (const child of started) child.kill('SIGKILL'); });

/// The agents: first those of the demo, later those that the story started in their place.
const agents = {};
export const killAgent = async slug => {
  if (agents[slug]) await stop(agents[slug], 'SIGKILL');
  else process.kill(demo.pids[`agent ${slug}`], 'SIGKILL');
  await until('ODCM knows that the agent is gone', async () => !(await status(slug)).agent.connected, 60_000);
};
export const startAgent = slug => { agents[slug] = run(demo.program, ['agent', 'run', '--state', demo.agent_state[slug]]); };
/// What the portal's page of a Space says the agent saw.
export const eventsOf = async (page, slug) => {
  await page.goto(`${demo.odcm}/admin/spaces/${demo.space_ids[slug]}/events`);
  return page.locator('main').innerText();
};
/// The lines of a dry run on a page: "gains Bob Specialist entry to Mars".
export const effects = page => page.locator('ul.effects li').evaluateAll(list => list.map(li => li.innerText.replace(/\s+/g, ' ').trim()).sort());
