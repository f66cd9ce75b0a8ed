//! A Markdown table: the first column is text, the others are figures.

use std::fmt;

/// A table under construction; shown by `Display`.
pub struct Table {
    rows: Vec<String>,
}

impl Table {
    /// Starts with the names of the columns.
    pub fn new<const COLUMNS: usize>(head: [&str; COLUMNS]) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.push(head);
        let figures = "---:|".repeat(COLUMNS.saturating_sub(1));
        table.rows.push(format!("|---|{figures}"));
        table
    }

    /// Adds a row.
    pub fn push<const COLUMNS: usize>(&mut self, cells: [&str; COLUMNS]) {
        self.rows.push(format!("| {} |", cells.join(" | ")));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.iter().try_for_each(|row| writeln!(to, "{row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_markdown() {
        let mut table = Table::new(["what", "s"]);
        table.push(["plan", "1.00"]);
        assert_eq!(
            table.to_string(),
            "| what | s |\n|---|---:|\n| plan | 1.00 |\n"
        );
    }
}
