export default withLatestData(({ data, parentElement }) => {
  parentElement.querySelector(".text")?.remove();
  parentElement.append(textBoxOf(data));
});
