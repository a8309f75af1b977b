// `<section data-live="/admin/…/live">`: the server sends the section's new HTML over SSE (event "html"); without scripts
// the page shows the state at the time of loading. Nothing is replaced while the person is typing in the section.
for (const section of document.querySelectorAll('[data-live]')) {
  const source = new EventSource(section.dataset.live);
  source.addEventListener('html', (event) => {
    if (section.contains(document.activeElement) && document.activeElement.matches('input, textarea, select')) return;
    const focused = section.contains(document.activeElement) ? document.activeElement.id : '';
    section.innerHTML = event.data;
    if (focused) document.getElementById(focused)?.focus();
    delete section.dataset.stale;
  });
  source.addEventListener('gone', () => source.close());
  source.addEventListener('error', () => { section.dataset.stale = section.dataset.liveLost ?? ''; });
  source.addEventListener('open', () => { delete section.dataset.stale; });
  addEventListener('pagehide', () => source.close(), { once: true });
}
