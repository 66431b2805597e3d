/** Native dialogs: `data-dialog-open="id"` opens, `data-dialog-close` closes, a click on the backdrop too. */

function onClick(event: MouseEvent): void {
  const target = event.target;
  if (!(target instanceof Element)) return;
  const opener = target.closest<HTMLElement>("[data-dialog-open]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.dialogOpen ?? "");
    if (dialog instanceof HTMLDialogElement && !dialog.open) {
      event.preventDefault();
      dialog.showModal();
    }
    return;
  }
  const dialog = target.closest<HTMLDialogElement>("dialog");
  if (!dialog) return;
  if (target.closest("[data-dialog-close]") || (target === dialog && outside(dialog, event))) dialog.close();
}

function outside(dialog: HTMLDialogElement, event: MouseEvent): boolean {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

export function startDialogs(): void {
  document.addEventListener("click", onClick);
}
