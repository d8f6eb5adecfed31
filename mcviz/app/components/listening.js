const GONE = 1000; // milliseconds, after which a component that was taken off is off the page
const FIELDS = "input, textarea, select, [contenteditable=true]"; // which keep the keys that are typed in them

/* Hear events of the document. Streamlit calls a component anew whenever what it is given changes, and a moment after it
   has taken back what was returned before: what happens in between is heard by the listeners from before. Those in
   `first` hear what a field keeps to itself. */
function listen(root, listeners, first = {}) {
  root.listening?.abort();
  const listening = (root.listening = new AbortController());
  for (const [capture, all] of [[false, listeners], [true, first]]) {
    for (const [kind, listener] of Object.entries(all)) {
      const heard = (event) => root.host.isConnected && listener(event);
      document.addEventListener(kind, heard, { capture, signal: listening.signal });
    }
  }
  return () => setTimeout(() => root.host.isConnected || listening.abort(), GONE);
}
