//! The plot: bars for every side, a panel for each run, as SVG.

use crate::rates::{Found, Side};
use std::fmt::Write;

const BAR: u32 = 16;
const SIDE: u32 = 2 * BAR + 14;
const PANEL_HEAD: u32 = 34;
const LABELS: u32 = 230;
const WIDTH: u32 = 760;

/// A panel for each run, one below the other.
pub(crate) fn svg(runs: &[Found]) -> String {
    let height: u32 = runs.iter().map(panel_height).sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut top = 0;
    for run in runs {
        panel(&mut svg, run, top);
        top += panel_height(run);
    }
    svg + "</svg>\n"
}

fn panel_height(run: &Found) -> u32 {
    PANEL_HEAD + SIDE * u32::try_from(run.sides.len()).unwrap_or(0) + 12
}

fn panel(svg: &mut String, run: &Found, top: u32) {
    let most = run.sides.iter().flat_map(|side| [side.rates.up, side.rates.down]).fold(1e-9, f64::max);
    let scale = f64::from(WIDTH - LABELS - 70) / most;
    // Writing to a String cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"8\" y=\"{}\" font-size=\"14\" font-weight=\"bold\">{}: MiB/s, up and down</text>",
        top + 22,
        run.title
    );
    let mut y = top + PANEL_HEAD;
    for (at, Side { name, rates }) in run.sides.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>",
            LABELS - 8,
            y + BAR + 4
        );
        let colours = if at == 0 { ["#1b6ca8", "#63a4d8"] } else { ["#777777", "#b0b0b0"] };
        for (rate, colour) in [rates.up, rates.down].into_iter().zip(colours) {
            let width = rate * scale;
            let _ = writeln!(
                svg,
                "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.0}\" height=\"{BAR}\" fill=\"{colour}\"/>\
                 <text x=\"{:.0}\" y=\"{}\">{rate:.1}</text>",
                f64::from(LABELS) + width + 5.0,
                y + BAR - 4
            );
            y += BAR;
        }
        y += SIDE - 2 * BAR;
    }
}
