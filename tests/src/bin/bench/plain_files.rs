//! Plain files: one for each object.

use crate::{
    GROUP, Side,
    error::BenchError,
    measure::{self, Taken, forget},
    workload::Workload,
};
use std::{fs::File, hint::black_box, io::Write, path::PathBuf};

/// Plain files in a directory of each put.
pub(crate) struct PlainFiles {
    directory: PathBuf,
    puts: usize,
    last: Vec<PathBuf>,
}

impl PlainFiles {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, puts: 0, last: Vec::new() }
    }
}

impl Side for PlainFiles {
    fn put(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        let directory = self.directory.join(self.puts.to_string());
        self.puts += 1;
        std::fs::create_dir_all(&directory)?;
        self.last = (0..workload.objects).map(|number| directory.join(number.to_string())).collect();
        measure::own(|| {
            let directory = File::open(&directory)?;
            let mut number = 0;
            for group in self.last.chunks(GROUP) {
                let mut files = Vec::with_capacity(GROUP);
                for path in group {
                    let mut file = File::create_new(path)?;
                    for _ in 0..workload.pieces {
                        file.write_all(workload.content(number))?;
                        number += 1;
                    }
                    files.push(file);
                }
                for file in files {
                    file.sync_data()?;
                }
                directory.sync_all()?;
            }
            Ok(())
        })
    }

    fn get(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        measure::own(|| {
            for path in &self.last {
                let content = black_box(std::fs::read(path)?);
                if content.len() != workload.pieces * workload.class.sealed() {
                    return Err(BenchError::Unexpected("the length of a file"));
                }
            }
            Ok(())
        })
    }

    fn forget(&mut self) -> Result<(), BenchError> {
        self.last.iter().try_for_each(|path| forget(path))
    }
}
