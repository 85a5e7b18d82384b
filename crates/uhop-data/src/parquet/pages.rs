//! The pages of one column in one row group, each checked before memory is taken for it.

use std::io::{Read, SeekFrom};
use std::sync::PoisonError;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::column::page::{Page, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::ColumnChunkMetaData;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::header::{DataV2, PageHeader, PageKind, encoding};
use super::problem::Problem;
use super::records::Shared;

/// Bytes read at first to find a header, and at most.
const HEADER_WINDOWS: [u64; 3] = [1 << 10, 1 << 16, 1 << 22];

/// The most that deflate can reach; snappy stays below. Zstandard knows no limit, so a small page may
/// have some bytes more.
const MAX_RATIO: usize = 1032;
const SMALL_PAGE: usize = 1 << 24;

/// Level encoding: runs and packed bits.
const RLE: i32 = 3;

/// Reads the pages one after the other.
pub(super) struct Pages {
    file: Shared,
    n_file: u64,
    position: u64,
    end: u64,
    compression: Compression,
    /// The fewest bytes of a plain value.
    value_size: usize,
    has_repetition: bool,
    has_definition: bool,
    has_dictionary: bool,
    /// Values that may still come.
    budget: u64,
    /// The header at `position`, with its length, when it has been read already.
    next: Option<(PageHeader, u64)>,
}

impl Pages {
    /// The pages of a column whose values take at most `max_bytes`.
    pub(super) fn new(
        file: Shared,
        n_file: u64,
        column: &ColumnChunkMetaData,
        value_size: usize,
        max_bytes: u64,
    ) -> std::result::Result<Self, Problem> {
        let data = column.data_page_offset();
        let first = match column.dictionary_page_offset() {
            Some(dictionary) if 0 < dictionary && dictionary < data => dictionary,
            _ => data,
        };
        let range = u64::try_from(first).ok().zip(u64::try_from(column.compressed_size()).ok());
        let range = range.and_then(|(start, n)| Some((start, start.checked_add(n)?)));
        let Some((position, end)) = range.filter(|&(_, end)| end <= n_file) else {
            return Err(Problem::Damaged { detail: "a column lies outside of it".to_owned() });
        };
        let compression = column.compression();
        if !matches!(
            compression,
            Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_)
        ) {
            return Err(Problem::Codec { found: compression.to_string() });
        }
        let levels = column.column_descr();
        Ok(Self {
            file,
            n_file,
            position,
            end,
            compression,
            value_size,
            has_repetition: levels.max_rep_level() > 0,
            has_definition: levels.max_def_level() > 0,
            has_dictionary: false,
            budget: max_bytes / value_size as u64,
            next: None,
        })
    }

    fn bytes(&self, start: u64, n: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // What a panic elsewhere left is a position, which is set here.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))
            .and_then(|_| Read::take(&mut *file, n).read_to_end(&mut bytes))
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(bytes)
    }

    /// The header at the position and its length, or nothing at the end.
    fn header(&mut self) -> Result<Option<(PageHeader, u64)>> {
        if let Some(next) = self.next {
            return Ok(Some(next));
        }
        if self.position == self.end {
            return Ok(None);
        }
        let left = self.end - self.position;
        let mut found = None;
        for window in HEADER_WINDOWS {
            let bytes = self.bytes(self.position, window.min(left))?;
            found = PageHeader::read(&bytes);
            if found.is_some() || window >= left {
                break;
            }
        }
        let (header, n_header) = found.ok_or_else(|| damaged("a page has no header"))?;
        let n_header = n_header as u64;
        if header.n_packed as u64 > left - n_header {
            return Err(damaged("a page ends after its column"));
        }
        let limit = header.n_packed.saturating_mul(MAX_RATIO).saturating_add(SMALL_PAGE);
        if header.n_inflated > limit {
            let PageHeader { n_packed, n_inflated, .. } = header;
            return Err(refused(Problem::PageSize { n_packed, n_inflated }));
        }
        self.next = Some((header, n_header));
        Ok(self.next)
    }

    /// Passes over the page at the position and returns its header and its bytes.
    fn take(&mut self) -> Result<Option<(PageHeader, Vec<u8>)>> {
        let Some((header, n_header)) = self.header()? else { return Ok(None) };
        let start = self.position + n_header;
        let bytes = self.bytes(start, header.n_packed as u64)?;
        if bytes.len() < header.n_packed {
            return Err(damaged("it ends early"));
        }
        self.position = start + header.n_packed as u64;
        self.next = None;
        Ok(Some((header, bytes)))
    }

    fn inflate(&self, packed: Vec<u8>, n_inflated: usize) -> Result<Vec<u8>> {
        let inflated = match self.compression {
            Compression::SNAPPY => match snap::raw::decompress_len(&packed) {
                Ok(n) if n == n_inflated => snap::raw::Decoder::new().decompress_vec(&packed).ok(),
                _ => None,
            },
            Compression::GZIP(_) => up_to(MultiGzDecoder::new(&packed[..]), n_inflated),
            Compression::ZSTD(_) => StreamingDecoder::new(&packed[..])
                .ok()
                .and_then(|decoder| up_to(decoder, n_inflated)),
            _ => Some(packed),
        };
        inflated
            .filter(|bytes| bytes.len() == n_inflated)
            .ok_or_else(|| damaged("a page cannot be decompressed"))
    }

    /// The encoding of a data page of this many values.
    fn data(&mut self, n_values: u32, code: i32) -> Result<Encoding> {
        let Some(budget) = self.budget.checked_sub(u64::from(n_values)) else {
            return Err(refused(Problem::TooLarge { n_file: self.n_file }));
        };
        self.budget = budget;
        match encoding(code).map_err(refused)? {
            Encoding::RLE_DICTIONARY if !self.has_dictionary => {
                Err(damaged("a dictionary is missing"))
            }
            encoding => Ok(encoding),
        }
    }

    fn v2(&mut self, header: PageHeader, page: DataV2, mut packed: Vec<u8>) -> Result<Page> {
        let encoding = self.data(page.n_values, page.encoding)?;
        let n_levels = page.n_definition as usize + page.n_repetition as usize;
        if n_levels > packed.len() || n_levels > header.n_inflated || page.n_nulls > page.n_values {
            return Err(damaged("a page contradicts itself"));
        }
        let buf = if page.is_packed && header.n_inflated > n_levels {
            let values = packed.split_off(n_levels);
            packed.extend(self.inflate(values, header.n_inflated - n_levels)?);
            packed
        } else {
            packed
        };
        Ok(Page::DataPageV2 {
            buf: buf.into(),
            num_values: page.n_values,
            encoding,
            num_nulls: page.n_nulls,
            num_rows: page.n_rows,
            def_levels_byte_len: page.n_definition,
            rep_levels_byte_len: page.n_repetition,
            is_compressed: page.is_packed,
            statistics: None,
        })
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        while let Some((header, packed)) = self.take()? {
            return Ok(Some(match header.page {
                PageKind::Other => continue,
                PageKind::Dictionary { n_values } => {
                    let buf = self.inflate(packed, header.n_inflated)?;
                    if n_values as usize > buf.len() / self.value_size || self.has_dictionary {
                        return Err(damaged("a dictionary contradicts itself"));
                    }
                    self.has_dictionary = true;
                    Page::DictionaryPage {
                        buf: buf.into(),
                        num_values: n_values,
                        encoding: Encoding::PLAIN,
                        is_sorted: false,
                    }
                }
                PageKind::Data { n_values, encoding, repetition, definition } => {
                    let encoding = self.data(n_values, encoding)?;
                    if (self.has_repetition && repetition != RLE)
                        || (self.has_definition && definition != RLE)
                    {
                        return Err(damaged("its levels have an unknown encoding"));
                    }
                    Page::DataPage {
                        buf: self.inflate(packed, header.n_inflated)?.into(),
                        num_values: n_values,
                        encoding,
                        def_level_encoding: Encoding::RLE,
                        rep_level_encoding: Encoding::RLE,
                        statistics: None,
                    }
                }
                PageKind::DataV2(page) => self.v2(header, page, packed)?,
            }));
        }
        Ok(None)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Ok(self.header()?.map(|(header, _)| {
            let (num_rows, num_levels, is_dict) = match header.page {
                PageKind::Data { n_values, .. } => (None, Some(n_values), false),
                PageKind::DataV2(page) => (Some(page.n_rows), Some(page.n_values), false),
                PageKind::Dictionary { .. } => (None, None, true),
                PageKind::Other => (None, None, false),
            };
            let [num_rows, num_levels] = [num_rows, num_levels].map(|n| n.map(|n| n as usize));
            PageMetadata { num_rows, num_levels, is_dict }
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.take().map(drop)
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// All bytes of a stream, or nothing when it is damaged; stops one byte after `n`.
fn up_to(stream: impl Read, n: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(n as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn refused(problem: Problem) -> ParquetError {
    ParquetError::External(Box::new(problem))
}

fn damaged(detail: &str) -> ParquetError {
    refused(Problem::Damaged { detail: detail.to_owned() })
}
