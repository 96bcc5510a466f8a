//! Through the worker: the built relay's worker process, asked over its socket by the client's own lanes.

use crate::{
    GROUP, Side,
    error::BenchError,
    funds::{self, credits_for},
    measure::{Meter, Taken, forget},
    workload::Workload,
};
use bytes::Bytes;
use nightdrop_client::{limits::ClientLimits, relay::RelayLane};
use nightdrop_envelope::capability::{BlobCapabilities, hash_token};
use nightdrop_tests::system::{SocketTransport, WorkerProcess};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    messages::blob::{CreateBlob, FinishBlob, Leased, WholeBlob},
    messages::credit::Credit,
    onion::OnionAddress,
    price,
    size_class::SizeClass,
};
use sha2::{Digest, Sha256};
use std::{
    hint::black_box,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::{runtime::Runtime, task::JoinSet};

/// Any address: the socket leads to one worker.
/// Bytes of a [`Leased`] at most.
const LEASED: usize = 5;
const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid";

type Lane = RelayLane<SocketTransport>;

/// A worker, and what pays for blobs there.
pub(crate) struct ThroughWorker {
    runtime: Runtime,
    worker: WorkerProcess,
    file: PathBuf,
    address: OnionAddress,
    credits: Vec<Credit>,
    /// The blobs of the last put.
    last: Vec<BlobCapabilities>,
}

/// One request and the longest answer to it.
struct Request {
    endpoint: Endpoint,
    authorization: Option<Authorization>,
    body: Bytes,
    answer: usize,
}

impl ThroughWorker {
    pub(crate) fn start(data: &Path, count: usize) -> Result<Self, BenchError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let store = data.join("store");
        std::fs::create_dir_all(data)?;
        let credits = runtime.block_on(funds::credits(&store, count))?;
        let address: OnionAddress = ADDRESS.parse().map_err(|_| BenchError::Unexpected("the address"))?;
        let worker = WorkerProcess::start(data, address.clone())?;
        let file = store.join("nightdrop.redb");
        Ok(Self { runtime, worker, file, address, credits, last: Vec::new() })
    }

    fn lane(&self) -> Lane {
        RelayLane::isolated(&self.worker.transport(), &self.address, &ClientLimits::default())
    }

    /// Sends all requests over [`GROUP`] connections and waits for every answer.
    fn exchange(&self, requests: Vec<Request>) -> Result<Taken, BenchError> {
        let requests = Arc::new(requests);
        let next = Arc::new(AtomicUsize::new(0));
        let lanes: Vec<Lane> = (0..GROUP).map(|_| self.lane()).collect();
        let (server, client) = (Meter::begin(self.worker.id())?, Meter::begin(std::process::id())?);
        let started = Instant::now();
        self.runtime.block_on(async {
            let mut working = JoinSet::new();
            for mut lane in lanes {
                let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
                working.spawn(async move {
                    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Request { endpoint, authorization, body, answer } = request;
                        let got =
                            lane.exchange(*endpoint, authorization.as_ref(), body.clone(), *answer).await?;
                        if got.len() != *answer {
                            return Err(BenchError::Unexpected("the length of an answer"));
                        }
                        black_box(got);
                    }
                    Ok(())
                });
            }
            while let Some(worked) = working.join_next().await {
                worked.map_err(|_| BenchError::Unexpected("the end of a lane"))??;
            }
            Ok::<_, BenchError>(())
        })?;
        let elapsed = started.elapsed();
        Ok(Taken { elapsed, processor: server.end()?, client: client.end()? })
    }

    /// A request that is answered by the last day of a blob.
    fn lease<Q: serde::Serialize + Sync>(
        &self,
        endpoint: Endpoint,
        authorization: Option<&Authorization>,
        message: &Q,
    ) -> Result<(), BenchError> {
        self.runtime.block_on(self.lane().call::<_, Leased>(endpoint, authorization, message))?;
        Ok(())
    }

    /// The message that makes a blob, and what its owner knows of it.
    fn create(
        &mut self,
        chunks: u32,
        whole: Option<WholeBlob>,
    ) -> Result<(CreateBlob, BlobCapabilities), BenchError> {
        let capabilities = BlobCapabilities::generate(&mut rand::rng());
        let price = if whole.is_some() { 1 } else { price::of_open(chunks).unwrap_or(1) };
        let left = self.credits.len().checked_sub(credits_for(price));
        let left = left.ok_or(BenchError::Unexpected("the number of credits"))?;
        let create = CreateBlob {
            blob: capabilities.blob,
            payment: self.credits.split_off(left),
            read_token: hash_token(&capabilities.read_token),
            write_key: hash_token(&capabilities.write_key),
            chunks,
            whole,
        };
        Ok((create, capabilities))
    }

    /// One blob of full chunks. Making and finishing it is not counted; its chunks are.
    fn put_chunks(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        let (create, capabilities) = self.create(workload.objects, None)?;
        self.lease(Endpoint::CreateBlob, None, &create)?;
        let contents: Vec<Bytes> = workload.contents.iter().cloned().map(Bytes::from).collect();
        let writing = Authorization::Bearer(capabilities.write_key.clone());
        let put = |(number, body): (u32, &Bytes)| Request {
            endpoint: Endpoint::PutChunk(capabilities.blob, number),
            authorization: Some(writing.clone()),
            body: body.clone(),
            answer: 0,
        };
        let taken = self.exchange((0..workload.objects).zip(contents.iter().cycle()).map(put).collect())?;
        let mut digest = Sha256::new();
        for number in 0..workload.objects as usize {
            digest.update(Sha256::digest(workload.content(number)));
        }
        let manifest = vec![0; SizeClass::SMALLEST.sealed()];
        let finish = FinishBlob { chunks_digest: digest.finalize().into(), manifest };
        self.lease(Endpoint::FinishBlob(capabilities.blob), Some(&writing), &finish)?;
        self.last = vec![capabilities];
        Ok(taken)
    }

    /// Many blobs, each whole in one request.
    fn put_whole(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        let (mut requests, mut last) = (Vec::new(), Vec::new());
        for number in 0..workload.objects as usize {
            let [chunk, manifest] =
                [2 * number, 2 * number + 1].map(|piece| workload.content(piece).to_vec());
            let (create, capabilities) = self.create(1, Some(WholeBlob { chunk, manifest }))?;
            let body = codec::encode(&create).map_err(|_| BenchError::Unexpected("a message"))?;
            let endpoint = Endpoint::CreateBlob;
            requests.push(Request { endpoint, authorization: None, body: body.into(), answer: LEASED });
            last.push(capabilities);
        }
        self.last = last;
        self.exchange(requests)
    }
}

impl Side for ThroughWorker {
    fn put(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        if workload.is_whole() { self.put_whole(workload) } else { self.put_chunks(workload) }
    }

    fn get(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        let chunks = if workload.is_whole() { 1 } else { workload.objects };
        let mut requests = Vec::new();
        for capabilities in &self.last {
            let reading = Authorization::Bearer(capabilities.read_token.clone());
            let head = workload.is_whole().then_some(Endpoint::GetHead(capabilities.blob));
            let pieces = (0..chunks).map(|number| Endpoint::GetChunk(capabilities.blob, number));
            requests.extend(head.into_iter().chain(pieces).map(|endpoint| Request {
                endpoint,
                authorization: Some(reading.clone()),
                body: Bytes::new(),
                answer: workload.class.sealed(),
            }));
        }
        self.exchange(requests)
    }

    fn forget(&mut self) -> Result<(), BenchError> {
        forget(&self.file)
    }
}
