//! Samples of one name, as the format has them.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Distribution;

/// One name with its samples.
pub(super) struct Family<'a, 'b> {
    pub(super) encoder: &'a mut DescriptorEncoder<'b>,
}

impl Family<'_, '_> {
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: usize) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        let encoder = self
            .encoder
            .encode_descriptor(name, help, None, gauge.metric_type())?;
        gauge.encode(encoder)
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        let encoder = self
            .encoder
            .encode_descriptor(name, help, None, counter.metric_type())?;
        counter.encode(encoder)
    }

    pub(super) fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'static str, String); N], u64)>,
    ) -> fmt::Result {
        let mut encoder = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            ConstCounter::new(value).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        samples: impl IntoIterator<Item = (String, usize)>,
    ) -> fmt::Result {
        let mut encoder = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value_of_label, value) in samples {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_family(&[(label, value_of_label)])?)?;
        }
        Ok(())
    }

    pub(super) fn distribution(
        &mut self,
        name: &str,
        help: &str,
        values: &Distribution,
    ) -> fmt::Result {
        let mut encoder =
            self.encoder
                .encode_descriptor(name, help, None, MetricType::Histogram)?;
        let (sum, count, buckets) = values.read();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

pub(super) fn label(name: &'static str, value: impl fmt::Display) -> [(&'static str, String); 1] {
    [(name, value.to_string())]
}
