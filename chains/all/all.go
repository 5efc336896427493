// Package all lists the families: the one file to edit when a family is added.
package all

import (
	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Families lists every family that layerwatch has.
func Families() []chains.Family {
	return []chains.Family{
		evm.Family(),
	}
}

// Metrics lists the metrics of all networks and families, each once.
func Metrics() []*chains.Metric { return chains.UniqueMetrics(Families()) }
