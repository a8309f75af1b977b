// The story of the README, as its people would live it. Each chapter leaves the Spaces as it found them, so that one can be
// run alone: `tests/browser/run explain`. Screenshots go to tests/browser/shots.
import { browser, counts, crashed } from './world.mjs';

const CHAPTERS = ['main_job', 'two_groups', 'hands', 'enlist', 'time', 'explain', 'first_person', 'pages', 'lifetime'];
const wanted = process.argv.slice(2);
const unknown = wanted.filter(w => !CHAPTERS.includes(w));
if (unknown.length) { console.log(`there is no chapter ${unknown.join(', ')}; these are: ${CHAPTERS.join(' ')}`); process.exit(2); }
for (const chapter of CHAPTERS.filter(c => !wanted.length || wanted.includes(c))) {
  console.log(`-- ${chapter}`);
  await import(`./${chapter}.mjs`).catch(e => crashed(chapter, e));
}
await browser.close();
process.exit(counts());
