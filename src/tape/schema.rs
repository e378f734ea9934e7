//! The columns of `ticks.parquet`, in file order. docs/TAPES.md explains them to users.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use scalper_decide::domain::tick::DEPTH;

/// Version of the folder layout and of the columns.
pub const SCHEMA_VERSION: u32 = 1;
/// Rows in one row group; bounds what a reader must hold.
pub const ROWS_PER_GROUP: usize = 131_072;
/// Tick file of a day.
pub const TICKS_FILE: &str = "ticks.parquet";
/// Contract list of a day.
pub const INSTRUMENTS_FILE: &str = "instruments.csv";
/// Certificate of a day.
pub const DAY_FILE: &str = "day.json";

/// Shape of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// 64-bit number, always there.
    I64,
    /// UTC nanoseconds, always there.
    Time,
    /// 32-bit number, always there.
    I32,
    /// Unsigned 32-bit number, always there.
    U32,
    /// 64-bit number or null.
    OptI64,
    /// 32-bit number or null.
    OptI32,
    /// Unsigned 32-bit number or null.
    OptU32,
}

impl Shape {
    pub(crate) const fn physical(self) -> Physical {
        match self {
            Shape::I64 | Shape::Time | Shape::OptI64 => Physical::INT64,
            Shape::I32 | Shape::U32 | Shape::OptI32 | Shape::OptU32 => Physical::INT32,
        }
    }
    pub(crate) const fn optional(self) -> bool {
        matches!(self, Shape::OptI64 | Shape::OptI32 | Shape::OptU32)
    }
}

pub(crate) const SEQ: usize = 0;
pub(crate) const EXCHANGE_TS: usize = 1;
pub(crate) const RECEIVE_TS: usize = 2;
pub(crate) const SEGMENT: usize = 3;
pub(crate) const SECURITY_ID: usize = 4;
pub(crate) const LTP: usize = 5;
pub(crate) const LTQ: usize = 6;
pub(crate) const VOLUME: usize = 7;
pub(crate) const OI: usize = 8;
/// First book column; level `l` (from 0) has bid price, bid quantity, ask price, ask quantity at `BOOK + 4 l ..`.
pub(crate) const BOOK: usize = 9;
pub(crate) const SOURCE: usize = BOOK + 4 * DEPTH;
pub(crate) const FLAGS: usize = SOURCE + 1;
pub(crate) const COLUMNS: usize = FLAGS + 1;

/// Every column with its shape, in file order.
pub(crate) const LAYOUT: [(&str, Shape); COLUMNS] = [
    ("seq", Shape::I64),
    ("exchange_ts", Shape::Time),
    ("receive_ts", Shape::Time),
    ("segment", Shape::I32),
    ("security_id", Shape::U32),
    ("ltp_paise", Shape::OptI64),
    ("ltq", Shape::OptI64),
    ("volume", Shape::OptI64),
    ("oi", Shape::OptI64),
    ("bid1_price", Shape::OptI32),
    ("bid1_qty", Shape::OptU32),
    ("ask1_price", Shape::OptI32),
    ("ask1_qty", Shape::OptU32),
    ("bid2_price", Shape::OptI32),
    ("bid2_qty", Shape::OptU32),
    ("ask2_price", Shape::OptI32),
    ("ask2_qty", Shape::OptU32),
    ("bid3_price", Shape::OptI32),
    ("bid3_qty", Shape::OptU32),
    ("ask3_price", Shape::OptI32),
    ("ask3_qty", Shape::OptU32),
    ("bid4_price", Shape::OptI32),
    ("bid4_qty", Shape::OptU32),
    ("ask4_price", Shape::OptI32),
    ("ask4_qty", Shape::OptU32),
    ("bid5_price", Shape::OptI32),
    ("bid5_qty", Shape::OptU32),
    ("ask5_price", Shape::OptI32),
    ("ask5_qty", Shape::OptU32),
    ("source", Shape::I32),
    ("flags", Shape::I32),
];

fn column(name: &str, shape: Shape) -> TypePtr {
    let logical = match shape {
        Shape::Time => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
        Shape::U32 | Shape::OptU32 => Some(LogicalType::integer(32, false)),
        _ => None,
    };
    let repetition = if shape.optional() { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let built = Type::primitive_type_builder(name, shape.physical())
        .with_repetition(repetition)
        .with_logical_type(logical)
        .build();
    Arc::new(built.expect("a column of the fixed layout is valid"))
}

/// The schema of `ticks.parquet`; `with_symbol` adds the text column of exports at the end.
pub(crate) fn schema(with_symbol: bool) -> TypePtr {
    let mut fields: Vec<TypePtr> = LAYOUT.iter().map(|(name, shape)| column(name, *shape)).collect();
    if with_symbol {
        let symbol = Type::primitive_type_builder("symbol", Physical::BYTE_ARRAY)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(LogicalType::String))
            .build();
        fields.push(Arc::new(symbol.expect("a text column is valid")));
    }
    Arc::new(Type::group_type_builder("tick").with_fields(fields).build().expect("the fixed layout is valid"))
}

/// How the file is packed: zstd; counters and clocks as differences, everything else by dictionary while it pays.
pub(crate) fn properties() -> WriterProperties {
    let path = |name: &str| ColumnPath::new(vec![name.to_owned()]);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).expect("level 3 exists")))
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // The library's version must not change a tape's checksum.
        .set_created_by("scalper tape 1".to_owned())
        .set_key_value_metadata(Some(vec![
            KeyValue::new("scalper.tape.schema".to_owned(), SCHEMA_VERSION.to_string()),
            KeyValue::new("scalper.tape.price_unit".to_owned(), "paise".to_owned()),
        ]));
    for name in ["seq", "exchange_ts", "receive_ts"] {
        builder = builder
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    builder.build()
}
