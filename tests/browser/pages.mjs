// Every page in light and dark, wide and narrow, with axe; and the way in and out by keyboard alone, without JavaScript.
import { AxeBuilder } from '@axe-core/playwright';
import { at, demo, idOf, is, person, shot, test } from './world.mjs';

const space = `/admin/spaces/${demo.space_ids.mars}`, group = `/admin/groups/${demo.groups.Developers}`;
const bob = await idOf('bob');
const paths = ['/', '/account', '/admin', '/admin/people', '/admin/people/new', `/admin/people/${bob}`, `/admin/people/${bob}/edit`, `/admin/people/${bob}/disable`, `/admin/people/${bob}/sessions`,
  '/admin/groups', '/admin/groups/new', group, `${group}/edit`, `${group}/delete`, `${group}/members/add`, `${group}/members/remove?who=person%3A${bob}`, `${group}/members/span?who=person%3A${bob}`,
  '/admin/spaces', '/admin/spaces/new', space, `${space}/access`, `${space}/decisions`, `${space}/events`, `${space}/settings`, `${space}/edit`, `${space}/remove`, `${space}/agent/revoke`, `${space}/grants/add`,
  '/admin/clients', '/admin/clients/new', '/admin/explain', '/admin/explain/change', '/admin/audit', '/admin/rights', '/admin/tokens', '/admin/tokens/new', '/admin/keys', '/logout'];
const barry = await at('barry', '/admin');
const state = await barry.context().storageState();
await test(`every page (${paths.length}): axe finds nothing serious, in light and dark, at 1280 and 390`, async () => {
  const bad = [];
  const look = async (colorScheme, width) => {
    const page = await person({ colorScheme, viewport: { width, height: 900 }, storageState: state });
    for (const path of paths) {
      const answer = await page.goto(demo.odcm + path);
      if (answer.status() !== 200) bad.push(`${path} ${answer.status()}`);
      const found = (await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']).analyze()).violations;
      bad.push(...found.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => `${path} ${colorScheme} ${v.id}`));
      if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth + 1)) bad.push(`${path} scrolls sideways at ${width}`);
      const name = path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'x').replace(/\?.*/, '').replace(/[^a-z]+/gi, '-');
      await shot(page, `page-${colorScheme}-${width}${name}`);
    }
    await page.context().close();
  };
  await Promise.all([look('light', 1280), look('dark', 390)]);
  is(bad.join(', '), bad.length === 0);
});
await test('without JavaScript, by keyboard alone, Bob signs in and out', async () => {
  const page = await person({ javaScriptEnabled: false });
  await page.goto(`${demo.odcm}/`);
  await page.locator('input:focus').waitFor(); // the field has the focus by itself
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.locator('input[type=password]:focus').waitFor();
  await page.keyboard.type(demo.passwords.bob);
  await page.keyboard.press('Enter');
  await page.waitForURL(u => u.pathname === '/');
  await page.goto(`${demo.odcm}/logout`);
  await page.getByRole('button', { name: /sign out/i }).first().click();
  await page.goto(`${demo.odcm}/account`);
  is('signed out', /login/.test(page.url()));
  await page.context().close();
});
await barry.context().close();
