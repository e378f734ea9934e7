//! `scalper greeks`: prices, Greeks and implied volatilities of a CSV file of options, by the code that decisions use.
//!
//! Input columns, in any order: `case_id`, `model` (`bsm` or `b76`), `flag` (`CE` or `PE`), `spot_or_forward`, `strike`,
//! `t_years`, `rate`, `q`, and `sigma` or `price` or both, exactly one of them filled in each row. Rates, yields and
//! volatilities are absolute per year (0.065). Output, in the order of the input:
//! `case_id,price,delta,gamma,vega,theta,rho,iv,status`; vega per 1.00 of volatility, theta per year, rho per 1.00.
//! `status` is `ok` or the reason there are no figures; then the figures are empty.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use csv::StringRecord;
use scalper_decide::domain::Right;
use scalper_decide::greeks::{Model, OptionGreeks, Pricer};

use super::exit::{BadInput, Code};

/// Arguments of `scalper greeks`.
#[derive(Debug, Args)]
pub struct GreeksArgs {
    /// CSV of cases.
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,
    /// CSV of answers.
    #[arg(long = "out", value_name = "FILE")]
    pub output: PathBuf,
}

/// Runs the verb.
pub fn run_verb(args: &GreeksArgs) -> anyhow::Result<Code> {
    match run(&args.input, &args.output) {
        Ok(summary) => {
            writeln!(std::io::stdout(), "{summary}")?;
            Ok(Code::Ok)
        }
        // Every fault of this verb is a fault of its file.
        Err(e) => Err(BadInput(format!("{e:#}")).into()),
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Rows read and written.
    pub rows: usize,
    /// Rows with figures.
    pub solved: usize,
    /// Rows without, by reason.
    pub refused: BTreeMap<&'static str, usize>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows: {} solved, {} refused", self.rows, self.solved, self.rows - self.solved)?;
        for (i, (reason, count)) in self.refused.iter().enumerate() {
            write!(f, "{}{reason} {count}", if i == 0 { " (" } else { ", " })?;
        }
        if self.refused.is_empty() { Ok(()) } else { write!(f, ")") }
    }
}

const OUTPUT_HEADER: [&str; 9] = ["case_id", "price", "delta", "gamma", "vega", "theta", "rho", "iv", "status"];
const INPUT_HEADER: &str = "case_id,model,flag,spot_or_forward,strike,t_years,rate,q,sigma (or price, or both)";

/// Reads `input`, writes `output`. Nothing is written unless every row is good.
///
/// # Errors
/// Names the file, the row, the column, the value and what would be right.
pub fn run(input: &Path, output: &Path) -> anyhow::Result<Summary> {
    if let (Ok(from), Ok(to)) = (input.canonicalize(), output.canonicalize())
        && from == to
    {
        bail!("{}: input and output are the same file; give --out another name", input.display());
    }
    let file = input.display().to_string();
    let text = std::fs::read(input).with_context(|| format!("cannot read {file}"))?;
    let cases = read_cases(&file, &text)?;

    let mut summary = Summary { rows: cases.len(), solved: 0, refused: BTreeMap::new() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(OUTPUT_HEADER)?;
    for case in &cases {
        let answer = case.answer();
        match &answer {
            Ok(_) => summary.solved += 1,
            Err(reason) => *summary.refused.entry(reason).or_default() += 1,
        }
        writer.write_record(case.output_row(&answer))?;
    }
    write_whole(output, &writer.into_inner()?)?;
    Ok(summary)
}

/// Writes beside `output` and renames, so a reader never sees half a file and a failure leaves the old one.
fn write_whole(output: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let shown = output.display();
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // The umask decides, as for any file; a temporary file would otherwise stay private.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder
        .prefix(".scalper-greeks-")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write {shown}: no file can be created in {}", folder.display()))?;
    temporary.write_all(bytes).with_context(|| format!("cannot write {shown}"))?;
    temporary.persist(output).with_context(|| format!("cannot write {shown}"))?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Given {
    Sigma(f64),
    Price(f64),
}

#[derive(Debug, Clone, PartialEq)]
struct Case {
    id: String,
    model: Model,
    right: Right,
    underlying: f64,
    strike: f64,
    t_years: f64,
    rate: f64,
    dividend_yield: f64,
    given: Given,
}

impl Case {
    fn answer(&self) -> Result<OptionGreeks, &'static str> {
        let pricer = Pricer::new(self.model, self.underlying, self.t_years, self.rate, self.dividend_yield)
            .map_err(|refusal| refusal.code())?;
        match self.given {
            Given::Sigma(sigma) => pricer.greeks(self.right, self.strike, sigma).map_err(|refusal| refusal.code()),
            Given::Price(price) => pricer.solve(self.right, self.strike, price).map_err(|refusal| refusal.code()),
        }
    }

    fn output_row(&self, answer: &Result<OptionGreeks, &'static str>) -> [String; 9] {
        // Shortest text that reads back to the same number; adding 0 takes the sign off a zero.
        let text = |figure: f64| format!("{:?}", figure + 0.0);
        let id = self.id.clone();
        match answer {
            Ok(g) => {
                let [price, delta, gamma, vega, theta, rho, iv] =
                    [g.price, g.delta, g.gamma, g.vega, g.theta, g.rho, g.iv].map(text);
                [id, price, delta, gamma, vega, theta, rho, iv, "ok".to_owned()]
            }
            Err(reason) => {
                let mut row: [String; 9] = Default::default();
                row[0] = id;
                row[8] = (*reason).to_owned();
                row
            }
        }
    }
}

/// Where the columns are.
struct Columns {
    by_name: BTreeMap<String, usize>,
    count: usize,
}

impl Columns {
    fn from_header(file: &str, header: &StringRecord) -> anyhow::Result<Columns> {
        let mut by_name = BTreeMap::new();
        for (i, name) in header.iter().enumerate() {
            // Spreadsheets put a byte-order mark before the first name; `model(bsm|b76)` only describes its values.
            let name = name.trim_start_matches('\u{feff}').trim();
            let name = match name {
                "model(bsm|b76)" => "model",
                "flag(CE|PE)" => "flag",
                other => other,
            };
            if by_name.insert(name.to_owned(), i).is_some() {
                bail!("{file}: header has two columns {name:?}; expected {INPUT_HEADER}");
            }
        }
        let required = ["case_id", "model", "flag", "spot_or_forward", "strike", "t_years", "rate", "q"];
        let missing: Vec<&str> = required.into_iter().filter(|name| !by_name.contains_key(*name)).collect();
        if !missing.is_empty() {
            bail!("{file}: header lacks {}; expected {INPUT_HEADER}", missing.join(", "));
        }
        if !by_name.contains_key("sigma") && !by_name.contains_key("price") {
            bail!("{file}: header has neither sigma nor price; expected {INPUT_HEADER}");
        }
        Ok(Columns { by_name, count: header.len() })
    }
}

/// One row and its place, for messages.
struct Row<'a> {
    file: &'a str,
    /// 1 is the first row under the header.
    number: usize,
    line: u64,
    columns: &'a Columns,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn bad(&self, column: &str, value: &str, expected: &str) -> anyhow::Error {
        let Row { file, number, line, .. } = self;
        anyhow::anyhow!("{file}: row {number} (line {line}), column {column}: {value:?} is wrong; expected {expected}")
    }

    fn text(&self, column: &str) -> &str {
        self.columns.by_name.get(column).and_then(|i| self.record.get(*i)).unwrap_or("")
    }

    fn number(&self, column: &str, expected: &str) -> anyhow::Result<f64> {
        let text = self.text(column);
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(self.bad(column, text, expected)),
        }
    }

    fn number_above_zero(&self, column: &str, expected: &str) -> anyhow::Result<f64> {
        let value = self.number(column, expected)?;
        if value > 0.0 { Ok(value) } else { Err(self.bad(column, self.text(column), expected)) }
    }

    fn case(&self) -> anyhow::Result<Case> {
        if self.record.len() != self.columns.count {
            bail!(
                "{}: row {} (line {}): {} fields where the header has {}",
                self.file,
                self.number,
                self.line,
                self.record.len(),
                self.columns.count
            );
        }
        let id = self.text("case_id");
        if id.is_empty() {
            return Err(self.bad("case_id", id, "a name for the row"));
        }
        let model = self.text("model");
        let flag = self.text("flag");
        let right = [Right::Call, Right::Put].into_iter().find(|right| right.code() == flag);
        let given = match (self.text("sigma"), self.text("price")) {
            ("", "") => return Err(self.bad("sigma or price", "", "a number in one of the two")),
            (_, "") => {
                let expected = "a volatility of 0 or more, absolute per year, such as 0.12";
                let sigma = self.number("sigma", expected)?;
                if sigma < 0.0 {
                    return Err(self.bad("sigma", self.text("sigma"), expected));
                }
                Given::Sigma(sigma)
            }
            ("", _) => Given::Price(self.number("price", "a price in points, such as 102.5")?),
            (sigma, price) => {
                let both = format!("{sigma} and {price}");
                return Err(self.bad("sigma and price", &both, "only one of the two filled"));
            }
        };
        Ok(Case {
            id: id.to_owned(),
            model: Model::from_code(model).ok_or_else(|| self.bad("model", model, "bsm or b76"))?,
            right: right.ok_or_else(|| self.bad("flag", flag, "CE or PE"))?,
            underlying: self.number_above_zero("spot_or_forward", "a level above 0 in points, such as 25000")?,
            strike: self.number_above_zero("strike", "a strike above 0 in points, such as 25000")?,
            t_years: self.number("t_years", "years to expiry, such as 0.0192")?,
            rate: self.number("rate", "a rate, absolute per year, such as 0.065")?,
            dividend_yield: self.number("q", "a yield, absolute per year, such as 0.0125 (0 for b76)")?,
            given,
        })
    }
}

fn read_cases(file: &str, text: &[u8]) -> anyhow::Result<Vec<Case>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text);
    let header = reader.headers().with_context(|| format!("{file}: the header cannot be read"))?.clone();
    if header.is_empty() {
        bail!("{file}: the file is empty; expected a header {INPUT_HEADER}");
    }
    let columns = Columns::from_header(file, &header)?;
    let mut cases = Vec::new();
    let mut ids = BTreeSet::new();
    for (i, record) in reader.records().enumerate() {
        let record = record.with_context(|| format!("{file}: row {} cannot be read", i + 1))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { file, number: i + 1, line, columns: &columns, record: &record };
        let case = row.case()?;
        if !ids.insert(case.id.clone()) {
            return Err(row.bad("case_id", &case.id, "a name no other row has"));
        }
        cases.push(case);
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "case_id,model(bsm|b76),flag(CE|PE),spot_or_forward,strike,t_years,rate,q,sigma,price\n";

    fn greeks(input: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
        std::fs::write(&from, input).unwrap();
        match run(&from, &to) {
            Ok(_) => Ok(std::fs::read_to_string(&to).unwrap()),
            Err(error) => {
                let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
                assert_eq!(left, ["in.csv"], "a refused file leaves nothing behind");
                Err(format!("{error:#}").replace(&format!("{}/", folder.path().display()), ""))
            }
        }
    }

    fn row(text: &str) -> Result<String, String> {
        greeks(&format!("{HEADER}{text}\n"))
    }

    #[test]
    fn rows_keep_their_order_and_a_refusal_has_no_figures() {
        let out = row("z,b76,PE,58237.3,58200,3.80517503805175e-06,0.05,0,0.2,\n\
                       a,bsm,CE,25000,24000,0.01,0.065,0,,900\n\
                       m,bsm,CE,25000,25000,0,0.065,0,0.1,\n\
                       k,bsm,CE,25000,25000,0.01,0.065,0,0,\n\
                       b,b76,CE,25000,25000,0.01,0.065,0,,100")
        .unwrap();
        let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines[0], OUTPUT_HEADER);
        let ids_and_states: Vec<(&str, &str)> = lines[1..].iter().map(|line| (line[0], line[8])).collect();
        let expected = [("z", "ok"), ("a", "below_intrinsic"), ("m", "expired"), ("k", "no_volatility"), ("b", "ok")];
        assert_eq!(ids_and_states, expected);
        assert!(lines[2][1..8].iter().all(|field| field.is_empty()), "{:?}", lines[2]);
        let figures: Vec<f64> = lines[5][1..8].iter().map(|field| field.parse().unwrap()).collect();
        assert!((figures[0] - 100.0).abs() < 1e-9 && (figures[1] - 0.5).abs() < 0.01, "{figures:?}");
    }

    #[test]
    fn either_spelling_of_the_header_is_read_and_a_byte_order_mark_too() {
        let plain = "\u{feff}case_id,model,flag,spot_or_forward,strike,t_years,rate,q,sigma\r\n";
        let one = greeks(&format!("{plain}1,b76,CE,25000,25000,0.01,0.065,0,0.12\r\n")).unwrap();
        assert_eq!(one, row("1,b76,CE,25000,25000,0.01,0.065,0,0.12,").unwrap());
        assert_eq!(greeks(plain).unwrap().lines().count(), 1, "no rows, only the header");
    }

    #[test]
    fn a_bad_row_is_named_with_its_column_value_and_remedy() {
        for (text, message) in [
            (
                "1,b76,CE,25000,25000,0.01,0.065,0,0.12,\n2,black,CE,1,1,1,0,0,1,",
                "in.csv: row 2 (line 3), column model: \"black\" is wrong; expected bsm or b76",
            ),
            ("1,b76,call,1,1,1,0,0,1,", "in.csv: row 1 (line 2), column flag: \"call\" is wrong; expected CE or PE"),
            (
                "1,b76,CE,1,25k,1,0,0,1,",
                "in.csv: row 1 (line 2), column strike: \"25k\" is wrong; expected a strike above 0 in points, such as 25000",
            ),
            (
                "1,b76,CE,NaN,25000,1,0,0,1,",
                "in.csv: row 1 (line 2), column spot_or_forward: \"NaN\" is wrong; expected a level above 0 in points, \
                 such as 25000",
            ),
            (
                "1,b76,CE,1,1,1,0,0,0.1,5",
                "in.csv: row 1 (line 2), column sigma and price: \"0.1 and 5\" is wrong; expected only one of the two filled",
            ),
            (
                "1,b76,CE,1,1,1,0,0,,",
                "in.csv: row 1 (line 2), column sigma or price: \"\" is wrong; expected a number in one of the two",
            ),
            (
                "1,b76,CE,1,1,1,0,0,-0.1,",
                "in.csv: row 1 (line 2), column sigma: \"-0.1\" is wrong; expected a volatility of 0 or more, absolute per \
                 year, such as 0.12",
            ),
            (
                "1,b76,CE,1,1,1,0,0,1,\n1,b76,CE,1,1,1,0,0,1,",
                "in.csv: row 2 (line 3), column case_id: \"1\" is wrong; expected a name no other row has",
            ),
            ("1,b76,CE,1,1", "in.csv: row 1 (line 2): 5 fields where the header has 10"),
        ] {
            assert_eq!(row(text).unwrap_err(), message, "{text}");
        }
    }

    #[test]
    fn a_header_that_lacks_a_column_says_which() {
        let short = "case_id,model,flag,spot_or_forward,t_years,rate,q,sigma\n";
        let expected = format!("in.csv: header lacks strike; expected {INPUT_HEADER}");
        assert_eq!(greeks(short).unwrap_err(), expected);
        let neither = "case_id,model,flag,spot_or_forward,strike,t_years,rate,q\n";
        let expected = format!("in.csv: header has neither sigma nor price; expected {INPUT_HEADER}");
        assert_eq!(greeks(neither).unwrap_err(), expected);
        assert!(greeks("").unwrap_err().starts_with("in.csv: the file is empty"));
    }

    #[test]
    fn a_missing_file_and_the_same_file_twice_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("in.csv");
        assert!(format!("{:#}", run(&file, &file).unwrap_err()).contains("cannot read"));
        std::fs::write(&file, HEADER).unwrap();
        assert!(run(&file, &file).unwrap_err().to_string().contains("the same file"));
        let nowhere = folder.path().join("no/such/folder/out.csv");
        assert!(format!("{:#}", run(&file, &nowhere).unwrap_err()).contains("cannot write"));
    }

    #[test]
    fn the_summary_counts_by_reason() {
        let refused = BTreeMap::from([("below_intrinsic", 2), ("expired", 1)]);
        let summary = Summary { rows: 10, solved: 7, refused };
        assert_eq!(summary.to_string(), "10 rows: 7 solved, 3 refused (below_intrinsic 2, expired 1)");
        let clean = Summary { rows: 1, solved: 1, refused: BTreeMap::new() };
        assert_eq!(clean.to_string(), "1 rows: 1 solved, 0 refused");
    }

    /// Every reference case through the file interface: prices to abs 1e-8 + rel 1e-9, the given volatility echoed.
    #[test]
    fn the_reference_prices_come_back_through_the_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let Some(data) = root.parent().map(|up| up.join("shared/data")).filter(|data| data.is_dir()) else {
            eprintln!("SKIPPED the_reference_prices_come_back_through_the_file: ../shared/data not present");
            return;
        };
        let path = data.join("reference/options/bs_black76_price_greeks.csv.gz");
        let packed = std::fs::File::open(path).unwrap();
        let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(packed));
        let names = reader.headers().unwrap().clone();
        let rows: Vec<StringRecord> = reader.records().map(Result::unwrap).collect();
        let field = |row: &StringRecord, name: &str| row[names.iter().position(|n| n == name).unwrap()].to_owned();
        let taken = ["case_id", "model", "flag", "S_or_F", "strike", "t_years", "r", "q", "sigma"];
        let body: Vec<String> = rows.iter().map(|row| taken.map(|name| field(row, name)).join(",") + ",\n").collect();
        let out = greeks(&format!("{HEADER}{}", body.concat())).unwrap();
        let answers: Vec<Vec<&str>> = out.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert!(rows.len() > 700 && answers.len() == rows.len());
        for (row, answer) in rows.iter().zip(&answers) {
            let id = field(row, "case_id");
            assert_eq!((answer[0], answer[8]), (id.as_str(), "ok"));
            let exact: f64 = field(row, "price").parse().unwrap();
            let price: f64 = answer[1].parse().unwrap();
            assert!((price - exact).abs() <= 1e-8 + 1e-9 * exact, "case {id}: {price} against {exact}");
            assert_eq!(answer[7].parse::<f64>(), field(row, "sigma").parse::<f64>(), "case {id}");
        }
    }
}
