//! Lines with a label on the left and wrapped text on the right. It lays out and knows no figures.

use crate::report::{Paint, Style};
use crate::screen::wrap;

/// Columns of the label, its indent and the gap behind it included.
const LABEL: usize = 14;

/// A screen that grows downward.
pub struct Page {
    style: Style,
    columns: usize,
    text: String,
}

impl Page {
    /// An empty screen.
    pub fn new(style: Style, columns: usize) -> Self {
        Self {
            style,
            columns,
            text: String::new(),
        }
    }

    /// What was written.
    pub fn text(self) -> String {
        self.text
    }

    /// An empty line, unless there is one already.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// The first line: a word in colour at the margin, and what it is about.
    pub fn title(&mut self, word: &str, paint: Paint, about: &str) {
        self.text.push_str(&self.style.paint(paint, word));
        let first = self.columns.saturating_sub(word.chars().count() + 2);
        for (line, part) in wrap(about, first, self.columns - 6).iter().enumerate() {
            self.text
                .push_str(if line == 0 { "  " } else { "\n      " });
            self.text.push_str(part);
        }
        self.text.push('\n');
    }

    /// A line below the title.
    pub fn below(&mut self, paint: Option<Paint>, text: &str) {
        for (line, part) in wrap(text, self.columns - 6, self.columns - 8)
            .iter()
            .enumerate()
        {
            self.text
                .push_str(if line == 0 { "      " } else { "        " });
            self.text.push_str(&self.painted(paint, part));
            self.text.push('\n');
        }
    }

    /// A label and its text; an empty label continues the one above.
    pub fn line(&mut self, label: &str, text: &str) {
        self.line_painted(label, None, text);
    }

    /// The same in a colour.
    pub fn line_painted(&mut self, label: &str, paint: Option<Paint>, text: &str) {
        let width = self.columns - LABEL;
        for (line, part) in wrap(text, width, width - 2).iter().enumerate() {
            let label = if line == 0 { label } else { "" };
            let label = format!("  {label:<width$}", width = LABEL - 2);
            self.text.push_str(&self.style.paint(Paint::Label, &label));
            if line > 0 {
                self.text.push_str("  ");
            }
            self.text.push_str(&self.painted(paint, part));
            self.text.push('\n');
        }
    }

    /// Rows under one label; all columns but the last are as wide as their widest cell.
    pub fn table<const N: usize>(&mut self, label: &str, rows: &[[String; N]]) {
        let mut widths = [0; N];
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for (index, row) in rows.iter().enumerate() {
            let mut text = String::new();
            for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
                if place > 0 {
                    text.push_str("  ");
                }
                text.push_str(&format!("{cell:<width$}"));
            }
            self.line(if index == 0 { label } else { "" }, text.trim_end());
        }
    }

    fn painted(&self, paint: Option<Paint>, text: &str) -> String {
        match paint {
            Some(paint) => self.style.paint(paint, text),
            None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let mut page = Page::new(Style::Plain, 60);
        let rows = [["a", "0.42–0.46 s", "x"], ["longer", "none", ""]];
        page.table("Rows", &rows.map(|row| row.map(str::to_owned)));
        insta::assert_snapshot!(page.text(), @"
        Rows        a       0.42–0.46 s  x
                    longer  none
        ");
    }
}
