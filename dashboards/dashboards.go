// Package dashboards holds what shows and judges the metrics: so far the recording rules of costs and settlement, in rules,
// and the tests that bind them to the metrics that exist.
package dashboards
