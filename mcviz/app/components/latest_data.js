/* A component that shows the data it was given last. Streamlit calls a component for each change of its data; where the
   data changed while the script was still loading, the browser makes these calls in any order, and Streamlit only takes
   back at once what those for older data returned. The component is then rendered once more with the latest. */
function withLatestData(render) {
  return (component) => {
    const root = component.parentElement;
    root.calls = [...(root.calls ?? []), component];
    const end = render(component);
    setTimeout(() => (root.calls = root.calls.slice(-1)));
    return () => {
      root.calls = root.calls.filter((call) => call !== component);
      if (root.host.isConnected && root.calls.length) render(root.calls.at(-1));
      else end?.();
    };
  };
}
