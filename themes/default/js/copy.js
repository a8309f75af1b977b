// Shows a copy button beside `<input data-copy>`; without scripts the field can be selected and copied by hand.
for (const button of document.querySelectorAll('button[data-copy-from]')) {
  const field = document.getElementById(button.dataset.copyFrom);
  if (!field || !navigator.clipboard) continue;
  button.hidden = false;
  const label = button.querySelector('[data-label]') ?? button;
  const before = label.textContent;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      label.textContent = button.dataset.done;
    } catch {
      field.focus();
      field.select();
    }
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}
for (const field of document.querySelectorAll('input[data-copy]')) {
  field.addEventListener('focus', () => field.select());
}
