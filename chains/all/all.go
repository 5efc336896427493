// Package all lists the families: the one file to edit when a family is added.
package all

import (
	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/arbitrum"
	"github.com/layerwatch/layerwatch/chains/bitcoin"
	"github.com/layerwatch/layerwatch/chains/evm"
	"github.com/layerwatch/layerwatch/chains/lightning"
	"github.com/layerwatch/layerwatch/chains/linea"
	"github.com/layerwatch/layerwatch/chains/opstack"
	"github.com/layerwatch/layerwatch/chains/polygon"
	"github.com/layerwatch/layerwatch/chains/scroll"
	"github.com/layerwatch/layerwatch/chains/zksync"
)

// Families lists every family that layerwatch has.
func Families() []chains.Family {
	return []chains.Family{
		evm.Family(),
		arbitrum.Family(),
		bitcoin.Family(),
		lightning.Family(),
		linea.Family(),
		opstack.Family(),
		polygon.Family(),
		scroll.Family(),
		zksync.Family(),
	}
}

// Metrics lists the metrics of all networks and families, each once.
func Metrics() []*chains.Metric { return chains.UniqueMetrics(Families()) }
