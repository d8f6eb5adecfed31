/* Streamlit leaves an entry in the browser's history for every change of the address. That of a look at another
   example takes the place of the one before, so that going back leads out of the looks in one step. */
function differing(one, other) {
  const keys = new Set([...one.keys(), ...other.keys()]);
  return [...keys].filter((key) => one.get(key) !== other.get(key));
}

function takesThePlace(from, to) {
  const looks = from.pathname === to.pathname && document.querySelector(".st-key-look") !== null;
  return looks && differing(from.searchParams, to.searchParams).join() === "example";
}

function shortHistory() {
  const push = (window.mcvizPush ??= history.pushState);
  history.pushState = (state, unused, address) => {
    const replaces = takesThePlace(new URL(location.href), new URL(address ?? "", location.href));
    (replaces ? history.replaceState : push).call(history, state, unused, address);
  };
}
