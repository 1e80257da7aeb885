//! The page of `--html`: the timeline of a run in one file, without anything from elsewhere.
//!
//! ```text
//!   head      style
//!   body      what was run, tables of causes and kernels (readable without script), the chart
//!   data      JSON in a script element of its own: lanes with spans, names once
//!   script    draws the chart from the data
//! ```
//!
//! Whatever comes from the run is text of the page with its markup escaped, or a string in the data, in which no `<` is
//! left: no name can end the element it stands in.

mod data;
mod escape;

use std::io::{self, Write};

use sim_core::time::SimDuration;

use super::attribution::Cause;
use super::explained::Explained;
use super::names::ProgramNames;
use super::summary::RunSummary;
use data::PageData;
use escape::{DataWriter, Text};

const STYLE: &str = include_str!("timeline.css");
const SCRIPT: &str = include_str!("timeline.js");

/// A run as a page.
pub struct HtmlTimeline<'a> {
    /// What was run.
    pub summary: &'a RunSummary,
    /// What happened.
    pub explained: &'a Explained,
    /// What kernels are called.
    pub names: &'a ProgramNames,
}

/// The colour of a cause, in the table and on the path.
const fn colour(cause: Cause) -> &'static str {
    match cause {
        Cause::Compute => "#12b76a",
        Cause::Memory => "#2e90fa",
        Cause::Dependency => "#f79009",
        Cause::Dispatch => "#9e77ed",
        Cause::Host => "#98a2b3",
    }
}

impl HtmlTimeline<'_> {
    /// Writes the page.
    pub fn write(&self, writer: &mut impl Write) -> io::Result<()> {
        let title = format!("{} on {}", self.summary.run.case, self.summary.run.arch);
        let title = Text(&title);
        write!(
            writer,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} - npusim</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n"
        )?;
        self.write_header(writer)?;
        writer.write_all(b"<div class=\"tables\">\n")?;
        self.write_causes(writer)?;
        let data = PageData::new(self.explained, self.names);
        self.write_kernels(writer, &data)?;
        writer.write_all(b"</div>\n")?;
        write_chart(writer)?;
        writer.write_all(b"<script type=\"application/json\" id=\"data\">")?;
        serde_json::to_writer(DataWriter(&mut *writer), &data)?;
        write!(writer, "</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n")
    }

    fn write_header(&self, writer: &mut impl Write) -> io::Result<()> {
        let (run, attribution) = (&self.summary.run, &self.explained.attribution);
        let hash = run.trace_hash.map(|hash| format!(", trace {hash:016x}")).unwrap_or_default();
        write!(
            writer,
            "<header>\n<h1>{}</h1>\n<p>{}, {}; device time {}{hash}</p>\n",
            Text(&run.case),
            Text(&run.arch),
            Text(&run.runtime),
            SimDuration::from_ps(attribution.device_time_ps),
        )?;
        if let Some(error) = &run.error {
            writeln!(writer, "<p>ended early: {}</p>", Text(error.message.lines().next().unwrap_or_default()))?;
        }
        writer.write_all(b"</header>\n")
    }

    fn write_causes(&self, writer: &mut impl Write) -> io::Result<()> {
        let attribution = &self.explained.attribution;
        writer.write_all(
            b"<table id=\"causes\">\n<tr><th>cause</th><th class=\"number\">critical path</th><th class=\"number\">share</th>\
              <th class=\"number\">all cores</th></tr>\n",
        )?;
        for cause in Cause::ALL {
            let time = attribution.critical_path.of(cause);
            let share = Percent(time, attribution.critical_path.total());
            let cores = Percent(attribution.core_time.of(cause), attribution.core_time.total());
            writeln!(
                writer,
                "<tr><td><span class=\"swatch\" style=\"background: {}\"></span>{}</td><td class=\"number\">{time}</td>\
                 <td class=\"number\">{share}</td><td class=\"number\">{cores}</td></tr>",
                colour(cause),
                cause.name(),
            )?;
        }
        writer.write_all(b"</table>\n")
    }

    fn write_kernels(&self, writer: &mut impl Write, data: &PageData<'_>) -> io::Result<()> {
        writer.write_all(
            b"<table id=\"kernels\">\n<tr><th>kernel</th><th class=\"number\">runs</th><th class=\"number\">time</th>\
              <th class=\"number\">on path</th></tr>\n",
        )?;
        for kernel in &self.explained.attribution.kernels {
            let number = data.kernel_number(&kernel.kernel);
            let [time, on_path] = [kernel.time_ps, kernel.path_ps].map(SimDuration::from_ps);
            writeln!(
                writer,
                "<tr><td><span class=\"swatch\" data-kernel=\"{number}\"></span>{}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{time}</td><td class=\"number\">{on_path}</td></tr>",
                Text(&kernel.kernel),
                kernel.count,
            )?;
        }
        writer.write_all(b"</table>\n")
    }
}

fn write_chart(writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(
        b"<div class=\"controls\">\n<button id=\"in\" title=\"zoom in (w)\">+</button>\n\
          <button id=\"out\" title=\"zoom out (s)\">&minus;</button>\n<button id=\"fit\" title=\"all of it (f)\">fit</button>\n\
          <label><input type=\"checkbox\" id=\"idle\"> cores without kernels</label>\n\
          <span><span class=\"swatch\" style=\"background: #fff; border: 2px solid #d92d20\"></span>on the critical path</span>\n\
          <span class=\"hint\">wheel or w, s: zoom; drag or a, d: move; shift + wheel: move in time; double click or f: all of it</span>\n</div>\n\
          <canvas id=\"chart\"></canvas>\n<div id=\"tip\"></div>\n",
    )
}

/// A part of a whole.
struct Percent(SimDuration, SimDuration);

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = self.1.as_ps();
        write!(f, "{:.1} %", if whole == 0 { 0.0 } else { self.0.as_ps() as f64 / whole as f64 * 100.0 })
    }
}

#[cfg(test)]
mod tests;
