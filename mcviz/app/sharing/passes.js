/* The passes over one example, without all else that is said of it. */
export default ({ data, parentElement }) => parentElement.append(stripsOf(data));
