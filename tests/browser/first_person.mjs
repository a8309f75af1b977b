// A new person: made in the portal, sets the first password by a one-time link, signs in; the used link opens nothing.
import { at, demo, is, person, shot, signIn, test } from './world.mjs';

const barry = await at('barry', '/admin');
const password = 'seven quiet moons of jam';
let link;
await test('Barry creates Dana and copies the one-time link', async () => {
  await barry.goto(`${demo.odcm}/admin/people`);
  await barry.getByRole('link', { name: 'Create person' }).first().click();
  await barry.getByLabel('Name', { exact: true }).fill('Dana Newcomer');
  await barry.getByLabel('User name', { exact: true }).fill('dana');
  await barry.getByLabel('E-mail address', { exact: true }).fill('dana@solar.example');
  await barry.getByRole('button', { name: 'Create person' }).click();
  link = await barry.getByRole('textbox', { name: 'Link' }).inputValue();
  is('it is a link of ODCM', link.startsWith(`${demo.odcm}/link/`));
  await shot(barry, '40-link');
  await barry.getByRole('link', { name: /copied/ }).click();
  is('it is not shown again', !(await barry.content()).includes(link.split('/').pop()));
});
const dana = await person();
await test('Dana sets her password with it and is signed in', async () => {
  await dana.goto(link);
  await shot(dana, '41-set-password');
  await dana.getByLabel('New password', { exact: true }).fill('password');
  await dana.getByLabel('Repeat the new password').fill('password');
  await dana.getByRole('button', { name: /set password/i }).click();
  is('a poor one is refused with a reason', /attacker tries/.test(await dana.locator('main').innerText()));
  await dana.getByLabel('New password', { exact: true }).fill(password);
  await dana.getByLabel('Repeat the new password').fill(password);
  await dana.getByRole('button', { name: /set password/i }).click();
  await dana.waitForURL(u => u.pathname === '/');
  is('her page says what to do next', /Ask your administrator/.test(await dana.locator('main').innerText()));
  await shot(dana, '42-no-spaces');
});
await test('she signs out and in again with the password', async () => {
  await dana.goto(`${demo.odcm}/logout`);
  await dana.getByRole('button', { name: /sign out/i }).first().click();
  await dana.goto(`${demo.odcm}/`);
  await signIn(dana, 'dana', password);
  await dana.waitForURL(u => u.pathname === '/');
});
await test('the used link is refused with a page that helps', async () => {
  const other = await person();
  const answer = await other.goto(link);
  is(`410, not ${answer.status()}`, answer.status() === 410);
  is('it says why and whom to ask', /used before/.test(await other.locator('main').innerText()) && /administrator/.test(await other.locator('main').innerText()));
  await shot(other, '43-used-link');
  await other.getByRole('link', { name: /sign in/i }).first().click();
  await other.getByLabel(/user name/i).first().waitFor();
  await other.context().close();
});
await barry.context().close();
await dana.context().close();
