export default function ({ setTriggerValue }) {
  shortHistory();
  const listening = new AbortController();
  for (const listeners of [touching(), goingBack(), skipping()]) {
    for (const [kind, listener] of Object.entries(listeners)) {
      window.addEventListener(kind, listener, { capture: true, passive: true, signal: listening.signal });
    }
  }
  const watching = reconnecting(() => setTriggerValue("reconnected", true));
  return () => {
    listening.abort();
    watching.disconnect();
  };
}
