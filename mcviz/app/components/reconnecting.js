/* A server that was started anew knows nothing of the page, and would pass over the first click on it: it draws the page
   again before that. */
function reconnecting(drawAnew) {
  const app = document.querySelector('[data-testid="stApp"]');
  let connected = true;
  const watching = new MutationObserver(() => {
    const before = connected;
    connected = app.dataset.testConnectionState === "CONNECTED";
    if (connected && !before) drawAnew();
  });
  watching.observe(app, { attributeFilter: ["data-test-connection-state"] });
  return watching;
}
