/* What can be done with an example in place: each its key, and the mark that it leaves. */
const ACTS = {
  tick: { key: "x", words: "Tick", path: "M5 12.5l4.5 4.5L19 7.5" },
  pin: { key: "p", words: "Pin", path: "M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v6" },
  flag: { key: "f", words: "Flag", path: "M6 21V4h11l-2 4 2 4H6" },
};
