// A page that is whole draws itself once.
drawCharts(JSON.parse(document.getElementById("data").textContent)).then(() => {
  document.documentElement.dataset.ready = "1";
});
