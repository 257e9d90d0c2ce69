"use strict";
// Draws charts and answers their legends and zoom buttons. Colours are CSS variables: nothing is drawn anew for light,
// dark or paper. groups: of charts with their data, whose figures are in the document. before: drawings of an earlier
// call, whose figures these replace: what was hidden and looked at closer stays so. Answers all drawings, once drawn.
const drawCharts = async (groups, before = []) => {
  const config = {
    // The figure says what the picture shows: nothing inside it speaks.
    aria: false, background: null, font: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", padding: 2,
    view: { stroke: null },
    axis: { labelColor: "var(--axis)", titleColor: "var(--axis)", gridColor: "var(--grid)", domainColor: "var(--line)",
      tickColor: "var(--line)", labelFontSize: 11.5, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8, labelFlush: true },
    axisX: { grid: false, tickCount: 10 }, axisY: { tickCount: 6 },
    legend: { labelColor: "var(--axis)", titleColor: "var(--axis)", titleFontWeight: 500, disable: false },
    range: { ramp: { scheme: "viridis" } },
  };
  const rows = (columns, x, domain) => {
    const names = Object.keys(columns), n = names.length ? columns[names[0]].length : 0, found = [];
    for (let i = 0; i < n; i++) {
      const row = {};
      for (const name of names) row[name] = columns[name][i];
      if (!domain || row[x] === undefined || (row[x] >= domain[0] && row[x] <= domain[1])) found.push(row);
    }
    return found;
  };
  const walk = (node, visit) => {
    if (Array.isArray(node)) node.forEach((each) => walk(each, visit));
    else if (node && typeof node === "object") { visit(node); Object.values(node).forEach((each) => walk(each, visit)); }
  };
  const named = (spec) => {
    const found = new Set();
    walk(spec, (node) => { if (node.data && typeof node.data.name === "string") found.add(node.data.name); });
    return found;
  };

  class Drawing {
    constructor(group, chart) {
      this.group = group; this.chart = chart; this.hidden = []; this.domain = null; this.view = null; this.turn = Promise.resolve();
      this.figure = document.getElementById(`${group.key}-chart-${chart.name}`);
      this.plot = this.figure.querySelector(".plot");
      const values = [...named(chart.spec)].flatMap((name) => (group.data[name] || {})[chart.x] || []);
      const low = Math.min(...values), high = Math.max(...values);
      this.whole = chart.timed ? [0, high] : [low - (high - low) / 60, high + (high - low) / 60];
      const old = before.find((each) => each.group.key === group.key && each.chart.name === chart.name);
      if (old) {
        this.hidden = old.hidden; this.domain = old.domain;
        this.figure.querySelectorAll(".legend input").forEach((box) => { box.checked = !this.hidden.includes(box.value); });
      }
      this.figure.querySelectorAll(".legend input").forEach((box) => box.addEventListener("change", () => this.toggle(box)));
      this.figure.querySelectorAll(".zoom button").forEach((b) => b.addEventListener("click", () => zoom(this, b.dataset.zoom)));
    }
    draw() {
      this.turn = this.turn.then(() => this.embed()).catch((problem) => {
        this.plot.textContent = `This chart could not be drawn: ${problem}`; this.figure.dataset.failed = "1";
      });
      return this.turn;
    }
    async embed() {
      const spec = JSON.parse(JSON.stringify(this.chart.spec));
      spec.datasets = {};
      for (const name of named(this.chart.spec)) spec.datasets[name] = rows(this.group.data[name] || {}, this.chart.x, this.domain);
      if (spec.params) spec.params.find((param) => param.name === "hidden").value = this.hidden;
      if (this.chart.x) walk(spec, (node) => {
        if (node.x && node.x.field === this.chart.x && node.x.scale) node.x.scale.domain = this.domain || this.whole;
      });
      // The page's own legend stands in for Vega's: it can be reached by keyboard.
      walk(spec, (node) => { if (node.field === "series" && node.scale) node.legend = null; });
      if (this.view) this.view.finalize();
      const made = await vegaEmbed(this.plot, spec, {
        renderer: "svg", actions: false, ast: true, config, defaultStyle: false, mode: "vega-lite", logLevel: 1,
        tooltip: { disableDefaultStyle: true },
      });
      this.view = made.view;
      this.quiet();
      if (this.chart.x) this.brush(made.view);
      this.figure.dataset.drawn = "1";
    }
    // The brush's own marks speak all the same; the figure's label and caption say it better.
    quiet() {
      this.plot.querySelectorAll("svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
      this.plot.querySelectorAll("[role], [aria-roledescription]").forEach((node) => {
        node.removeAttribute("role"); node.removeAttribute("aria-roledescription");
      });
    }
    brush(view) {
      try {
        let chosen = null;
        view.addSignalListener("brush", (_, value) => { chosen = value && value[this.chart.x]; });
        this.plot.onpointerup = () => {
          if (chosen && Math.abs(chosen[1] - chosen[0]) > (this.whole[1] - this.whole[0]) / 500) {
            const to = [Math.min(...chosen), Math.max(...chosen)]; chosen = null; show(this, to);
          }
        };
        this.plot.ondblclick = () => show(this, null);
      } catch (problem) { /* a chart without a brush */ }
    }
    toggle(box) {
      this.hidden = this.hidden.filter((name) => name !== box.value);
      if (!box.checked) this.hidden.push(box.value);
      this.turn = this.turn.then(() => this.view.signal("hidden", this.hidden).runAsync()).then(() => this.quiet());
    }
  }

  const drawings = groups.flatMap((group) => group.charts.map((chart) => new Drawing(group, chart)));
  const show = (drawing, domain) => {
    const together = drawing.chart.timed ? drawings.filter((d) => d.group === drawing.group && d.chart.timed) : [drawing];
    for (const each of together) { each.domain = domain; each.draw(); }
  };
  const zoom = (drawing, how) => {
    const [low, high] = drawing.whole, [a, b] = drawing.domain || drawing.whole, width = b - a, middle = (a + b) / 2;
    const to = { in: [middle - width / 4, middle + width / 4], out: [middle - width, middle + width],
      left: [a - width / 4, b - width / 4], right: [a + width / 4, b + width / 4] }[how];
    if (!to) return show(drawing, null);
    const size = Math.min(to[1] - to[0], high - low), from = Math.min(Math.max(to[0], low), high - size);
    return show(drawing, size >= high - low ? null : [from, from + size]);
  };
  for (const drawing of drawings) await drawing.draw();
  return drawings;
};
