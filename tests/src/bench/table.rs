//! The table of results, printed line by line as they come.

use crate::rounds::Sample;
use std::io::Write;

/// Says a line on standard output.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Prints rows and remembers whether one was over its budget. A difference is over when it is by more than twice its standard
/// error.
#[derive(Debug, Default)]
pub struct Table {
    over: bool,
}

impl Table {
    /// The head of the table.
    pub fn head(&self) {
        self.line(["path", "cost", "floor", "difference", "budget", "verdict"]);
        self.line(["---", "---", "---", "---", "---", "---"]);
    }

    fn line(&self, cells: [&str; 6]) {
        let [path, cost, floor, difference, budget, verdict] = cells;
        say(&format!("| {path:<58} | {cost:>10} | {floor:>10} | {difference:>17} | {budget:>10} | {verdict} |"));
    }

    fn verdict(&mut self, fits: bool) -> &'static str {
        self.over |= !fits;
        if fits { "within" } else { "OVER" }
    }

    /// CPU per walk of a path, in microseconds; the budget is for the difference to the floor.
    pub fn cpu(&mut self, path: &str, sample: &Sample, budget_us: f64) {
        let over = sample.difference - budget_us;
        let verdict = match self.verdict(over <= 2.0 * sample.error) {
            within if over <= 0.0 || over > 2.0 * sample.error => within,
            _ => "not sure",
        };
        let name = format!("{path} ({:.1} statements, {:.1} tx)", sample.statements, sample.transactions);
        let [cost, floor, budget] = [sample.cost, sample.floor, budget_us].map(|us| format!("{:.3} ms", us / 1000.0));
        let difference = format!("{:.3} ± {:.3} ms", sample.difference / 1000.0, sample.error / 1000.0);
        self.line([&name, &cost, &floor, &difference, &budget, verdict]);
    }

    /// Instructions per walk of a path.
    pub fn instructions(&self, path: &str, sample: &Sample) {
        let [cost, floor, difference] =
            [sample.cost, sample.floor, sample.difference].map(|n| format!("{:.3} M", n / 1_000_000.0));
        self.line([path, &cost, &floor, &difference, "", "instructions"]);
    }

    /// Any other figure with a budget.
    pub fn figure(&mut self, what: &str, value: f64, budget: f64, unit: &str) {
        let verdict = self.verdict(value <= budget);
        self.line([what, &format!("{value:.1} {unit}"), "", "", &format!("{budget:.0} {unit}"), verdict]);
    }

    /// A figure without a budget.
    pub fn note(&self, what: &str, value: f64, unit: &str) {
        self.line([what, &format!("{value:.2} {unit}"), "", "", "", ""]);
    }

    /// Whether something was over its budget.
    pub fn is_over(&self) -> bool {
        self.over
    }
}
