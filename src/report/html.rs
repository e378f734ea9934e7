//! Pieces of a page: escaped text, signed figures that do not rely on colour, tables.

use scalper_decide::domain::Money;

use super::format::{NOT_AVAILABLE, rupees, signed};

/// Text that is safe between tags and inside double-quoted attributes.
pub(super) fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // Other control characters are not allowed in a page.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The minus sign of typography in place of a leading hyphen.
pub(super) fn minus(text: &str) -> String {
    text.strip_prefix('-').map_or_else(|| text.to_owned(), |rest| format!("\u{2212}{rest}"))
}

/// A result with arrow, sign and colour.
pub(super) fn gain(amount: Money) -> String {
    let text = minus(&signed(amount));
    match amount.paise() {
        0 => text,
        1.. => format!("<span class=\"up\">\u{25b2} {text}</span>"),
        _ => format!("<span class=\"down\">\u{25bc} {text}</span>"),
    }
}

/// A result, `n/a` when there is none.
pub(super) fn gain_or_na(amount: Option<Money>) -> String {
    amount.map_or_else(|| NOT_AVAILABLE.to_owned(), gain)
}

/// An amount without a judgement.
pub(super) fn plain(amount: Money) -> String {
    minus(&rupees(amount))
}

/// `gain`, `loss` or nothing, as a CSS class.
pub(super) fn tone(amount: Money) -> &'static str {
    match amount.paise() {
        0 => "",
        1.. => "up",
        _ => "down",
    }
}

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Col {
    /// Short text, on one line.
    Left,
    /// Numbers.
    Right,
    /// Long text, wrapped.
    Text,
}

/// A table whose cells are markup already.
pub(super) struct Grid {
    columns: Vec<(&'static str, Col)>,
    body: String,
    foot: String,
}

impl Grid {
    pub(super) fn new(columns: &[(&'static str, Col)]) -> Grid {
        Grid { columns: columns.to_vec(), body: String::new(), foot: String::new() }
    }

    fn cells(&self, cells: &[String]) -> String {
        self.columns
            .iter()
            .zip(cells)
            .map(|((_, col), cell)| match col {
                Col::Left => format!("<td>{cell}</td>"),
                Col::Right => format!("<td class=\"n\">{cell}</td>"),
                Col::Text => format!("<td class=\"t\">{cell}</td>"),
            })
            .collect()
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        let cells = self.cells(cells);
        self.body.push_str(&format!("<tr>{cells}</tr>\n"));
    }

    /// A row that can be linked to as `#id`.
    pub(super) fn row_with_id(&mut self, id: &str, cells: &[String]) {
        let cells = self.cells(cells);
        self.body.push_str(&format!("<tr id=\"{id}\">{cells}</tr>\n"));
    }

    /// A row of totals, set apart.
    pub(super) fn total(&mut self, cells: &[String]) {
        let cells = self.cells(cells);
        self.foot.push_str(&format!("<tr>{cells}</tr>\n"));
    }

    pub(super) fn html(&self) -> String {
        let head: String = self
            .columns
            .iter()
            .map(|(name, col)| {
                let class = if *col == Col::Right { " class=\"n\"" } else { "" };
                format!("<th scope=\"col\"{class}>{name}</th>")
            })
            .collect();
        let foot = if self.foot.is_empty() { String::new() } else { format!("<tfoot>{}</tfoot>", self.foot) };
        format!(
            "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>{head}</tr></thead>\n<tbody>{}</tbody>{foot}</table></div>\n",
            self.body
        )
    }
}

/// A titled part of the page that can be linked to.
pub(super) fn section(id: &str, title: &str, body: &str) -> String {
    format!("<section id=\"{id}\"><h2>{title}</h2>\n{body}</section>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(esc("<a href='x'>\"&\u{0}"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\u{fffd}");
    }

    #[test]
    fn gains_and_losses_differ_by_sign_and_arrow_not_only_by_colour() {
        assert_eq!(gain(Money::from_rupees(1_234)), "<span class=\"up\">▲ +1,234.00</span>");
        assert_eq!(gain(Money::from_rupees(-50)), "<span class=\"down\">▼ −50.00</span>");
        assert_eq!(gain(Money::ZERO), "0.00");
    }
}
