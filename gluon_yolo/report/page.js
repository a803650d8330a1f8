// Give the charts the colours of the page: light, dark, or print. Bokeh draws on canvases, which CSS does not reach.
(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const print = matchMedia("print");
  const colours = () =>
    dark.matches && !print.matches
      ? { ink: "#e6e8ea", soft: "#a4acb5", line: "#3a4048" }
      : { ink: "#1f2328", soft: "#57606a", line: "#d5dae0" };

  function paint() {
    const { ink, soft, line } = colours();
    for (const doc of Bokeh.documents) {
      for (const model of doc.all_models) {
        if (model.type.endsWith("Axis")) {
          model.axis_label_text_color = ink;
          model.major_label_text_color = soft;
          model.axis_line_color = line;
          model.major_tick_line_color = line;
          model.minor_tick_line_color = line;
        } else if (model.type === "Grid") {
          model.grid_line_color = line;
        } else if (model.type === "Text") {
          model.text_color = { value: ink };
        }
      }
    }
  }

  function start() {
    const drawn = Bokeh.documents.length > 0 && Bokeh.documents.every((doc) => doc.is_idle);
    if (!drawn) {
      setTimeout(start, 20);
      return;
    }
    paint();
    dark.addEventListener("change", paint);
    print.addEventListener("change", paint);
    document.documentElement.dataset.charts = "drawn";
  }

  start();
})();
