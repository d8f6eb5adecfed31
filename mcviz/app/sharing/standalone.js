/* What the components find on Streamlit's pages and look for on this one, too. */

const TAKES_KEYS = "[data-keys]"; // elements with keys of their own
const LINKS = ".none"; // to other pages, which carry the address along
delete ACTS.tick; // which is for acts of the dashboard, as a pin is for its pages
delete ACTS.pin;

/* No server is waited for. */
class Sender {
  add(asked) {
    this.send(asked);
  }
}
