//! Reading the market: quotes, candles, chains, the instrument list.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use reqwest::Url;
use scalper_decide::domain::{Segment, Underlying};

use super::budget::{CallClass, ChainKey};
use super::candles::{CandleBody, Candles};
use super::client::Client;
use super::endpoints::Endpoints;
use super::option_chain::{self, ChainBody};
use super::quotes::{self, LtpEntry, MAX_IDS, OhlcEntry, QuoteEntry, Quoted};
use super::scalar::Count;
use super::transport::{Limits, Transport};
use crate::broker::fault::{Fault, Said};
use crate::broker::market::{Bar, BarRequest, ChainSnapshot, QuoteSnapshot};
use crate::broker::ports::MarketData;

/// Largest instrument list; the real one is some tens of MiB.
const MAX_LIST: u64 = 256 * 1024 * 1024;
/// Longest download of it.
const LIST_TIME: Duration = Duration::from_secs(120);

fn chain_body(index_id: u32, expiry: Option<NaiveDate>) -> (ChainBody, CallClass) {
    let underlying_seg = Segment::IdxI.name().to_owned();
    let body = ChainBody { underlying_scrip: Count(i64::from(index_id)), underlying_seg, expiry };
    (body, CallClass::OptionChain { key: ChainKey { underlying: index_id, expiry } })
}

impl<M> Client<M> {
    async fn quoted<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        ids: &[(Segment, u32)],
    ) -> Result<Quoted<T>, Fault> {
        let mut all = Quoted::new();
        for part in ids.chunks(MAX_IDS) {
            let call = self.ask(path, &quotes::body(part), CallClass::Quote);
            all.extend(self.shared.read_as(call, quotes::read::<T>).await?);
        }
        Ok(all)
    }

    /// Last prices; more than 1000 instruments take several calls.
    pub async fn ltp(&self, ids: &[(Segment, u32)]) -> Result<Quoted<LtpEntry>, Fault> {
        self.quoted(&self.shared.endpoints.paths.ltp, ids).await
    }

    /// Last prices and the day's range.
    pub async fn ohlc(&self, ids: &[(Segment, u32)]) -> Result<Quoted<OhlcEntry>, Fault> {
        self.quoted(&self.shared.endpoints.paths.ohlc, ids).await
    }

    /// Full quotes.
    pub async fn quote(&self, ids: &[(Segment, u32)]) -> Result<Quoted<QuoteEntry>, Fault> {
        self.quoted(&self.shared.endpoints.paths.quote, ids).await
    }

    /// Bars, oldest first. "No data" is an empty list.
    pub async fn candles(&self, request: &BarRequest) -> Result<Vec<Bar>, Fault> {
        let paths = &self.shared.endpoints.paths;
        let path = if request.minutes.is_some() { &paths.intraday } else { &paths.historical };
        let call = self.ask(path, &CandleBody::of(request), CallClass::Data);
        let parse = |body| serde_json::from_value::<Candles>(body).ok();
        match self.shared.read_as(call, parse).await {
            Ok(candles) => candles
                .bars()
                .map_err(|e| Fault::Unknown(Said { http: Some(200), code: None, text: format!("{path}: {e}") })),
            Err(Fault::NoData(_)) => Ok(Vec::new()),
            Err(fault) => Err(fault),
        }
    }

    /// The chain of one expiry.
    pub async fn option_chain(
        &self,
        underlying: Underlying,
        index_id: u32,
        expiry: NaiveDate,
    ) -> Result<ChainSnapshot, Fault> {
        let (body, class) = chain_body(index_id, Some(expiry));
        let call = self.ask(&self.shared.endpoints.paths.option_chain, &body, class);
        self.shared.read_as(call, |body| option_chain::read(body, underlying, expiry)).await
    }

    /// Expiries, ascending.
    pub async fn expiry_list(&self, index_id: u32) -> Result<Vec<NaiveDate>, Fault> {
        let (body, class) = chain_body(index_id, None);
        let call = self.ask(&self.shared.endpoints.paths.expiry_list, &body, class);
        self.shared.read_as(call, |body| option_chain::read_expiries(&body)).await
    }

    /// Downloads the compact instrument list into a file, whole or not at all; its size in bytes. The address is
    /// public: the token is not sent there.
    pub async fn download_instruments(&self, to: &Path) -> Result<u64, Fault> {
        self.shared.grant(CallClass::Data).await?;
        fetch_list(self.transport(), self.shared.endpoints.instruments.clone(), to).await
    }
}

/// Downloads an instrument list from a public address into a file, whole or not at all, without an account; its size in
/// bytes.
///
/// # Errors
/// The address is neither https nor on this machine, or the list cannot be had.
pub async fn download_list(url: Url, to: &Path, limits: Limits) -> Result<u64, Fault> {
    let refused = |text: String| Fault::Unknown(Said { http: None, code: None, text });
    let endpoints = Endpoints { instruments: url.clone(), ..Endpoints::default() };
    endpoints.check_transport().map_err(&refused)?;
    fetch_list(&Transport::new(limits).map_err(&refused)?, url, to).await
}

async fn fetch_list(transport: &Transport, url: Url, to: &Path) -> Result<u64, Fault> {
    let mut response = transport.open_public(url, LIST_TIME).await?;
    let http = response.status().as_u16();
    let unusable = |text: String| Fault::Unknown(Said { http: Some(http), code: None, text });
    if http != 200 {
        return Err(unusable("no instrument list".to_owned()));
    }
    let disk = |e: std::io::Error| {
        Fault::Unknown(Said { http: Some(http), code: None, text: format!("{}: {e}", to.display()) })
    };
    let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(disk)?;
    let mut size = 0;
    loop {
        let chunk = response.chunk().await.map_err(|e| unusable(super::error::tidy(&e.without_url().to_string())))?;
        let Some(chunk) = chunk else { break };
        size += chunk.len() as u64;
        if size > MAX_LIST {
            return Err(unusable(format!("an instrument list over {MAX_LIST} bytes")));
        }
        file.write_all(&chunk).map_err(disk)?;
    }
    file.persist(to).map_err(|e| disk(e.error))?;
    Ok(size)
}

impl<M: 'static> MarketData for Client<M> {
    fn quotes(&self, ids: Vec<(Segment, u32)>) -> BoxFuture<'_, Result<Vec<QuoteSnapshot>, Fault>> {
        Box::pin(async move {
            let quoted = self.quote(&ids).await?;
            Ok(quoted.iter().map(|((segment, id), entry)| entry.snapshot(*segment, *id)).collect())
        })
    }
    fn bars(&self, request: BarRequest) -> BoxFuture<'_, Result<Vec<Bar>, Fault>> {
        Box::pin(async move { self.candles(&request).await })
    }
    fn chain(
        &self,
        underlying: Underlying,
        index_id: u32,
        expiry: NaiveDate,
    ) -> BoxFuture<'_, Result<ChainSnapshot, Fault>> {
        Box::pin(self.option_chain(underlying, index_id, expiry))
    }
    fn expiries(&self, index_id: u32) -> BoxFuture<'_, Result<Vec<NaiveDate>, Fault>> {
        Box::pin(self.expiry_list(index_id))
    }
}
