package evm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/segmentio/encoding/json" // As package rpc decodes answers.
)

// fixtures is where recorded answers of real nodes are.
const fixtures = "../../../shared/fixtures"

// recordings lists the names of the recorded answers. Without them there is nothing to test.
func recordings(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(fixtures)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("there are no recorded answers at %s", fixtures)
	}
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// recording reads the result of a recorded answer, whichever way it is wrapped: as an answer, as a pair of request and
// response, or as the notification of a subscription.
func recording(t *testing.T, name string) json.RawMessage {
	t.Helper()
	recordings(t) // Skips.
	text, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		Result json.RawMessage
	}
	var file struct {
		answer
		Response answer
		Params   answer
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, result := range []json.RawMessage{file.Result, file.Response.Result, file.Params.Result} {
		if result != nil {
			return result
		}
	}
	t.Fatalf("%s has no result", name)
	return nil
}

// recordedBlock decodes a recorded block, after changes to it.
func recordedBlock(t *testing.T, name string, changes ...func(members)) *Block {
	t.Helper()
	text := recording(t, name)
	if len(changes) > 0 {
		var m members
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, change := range changes {
			change(m)
		}
		text = json.RawMessage(m.String())
	}
	return decodeBlock(t, string(text))
}

// identified makes a block of an excerpt that lacks what identifies it.
func identified(m members) {
	m["hash"], m["parentHash"] = hashOf(2), hashOf(1)
}

// recordedHeader is what a recorded block says.
type recordedHeader struct {
	number uint64
	unix   int64
	// baseFee is in wei, empty before EIP-1559.
	baseFee string
	// transactions is how many there are, -1 where the member is missing.
	transactions int
}

// recordedBlocks are those that a reader takes.
func recordedBlocks() map[string]recordedHeader {
	return map[string]recordedHeader{
		"arbitrum-eth_getBlockByNumber-408874813-2025-12-09.json":            {408874813, 1765298040, "131019000", 12},
		"arbitrum-eth_getBlockByNumber-511882413-2026-10-05.json":            {511882413, 1791192509, "20000000", 4},
		"arbitrum-header-58989000-2023-02-08.json":                           {58989000, 1675829389, "100000000", -1},
		"avalanche-eth_getBlockByNumber-5760288-2021-10-17.json":             {5760288, 1634496375, "25000000000", 4},
		"bsc-eth_getBlockByNumber-75757661-excerpt.json":                     {75757661, 1768635666, "0", -1},
		"ethereum-eth_getBlockByNumber-15408561-pow.json":                    {15408561, 1661422908, "4863948268", 0},
		"ethereum-eth_getBlockByNumber-15408562-pow.json":                    {15408562, 1661422936, "5471469309", 0},
		"ethereum-eth_getBlockByNumber-17984817.json":                        {17984817, 1692883175, "22299301120", 133},
		"ethereum-eth_getBlockByNumber-19318065-zksynctest.json":             {19318065, 1709026955, "38939802109", 2},
		"ethereum-eth_getBlockByNumber-19449567-dencun-no-uncles-field.json": {19449567, 1710617795, "36619559341", -1},
		"ethereum-eth_getBlockByNumber-20120448-finalized.json":              {20120448, 1718735519, "5822832426", 269},
		"ethereum-eth_getBlockByNumber-20213471-post-cancun.json":            {20213471, 1719858635, "11287057934", 139},
		"ethereum-eth_getBlockByNumber-24630100-bpo2.json":                   {24630100, 1773182315, "38202867", 1},
		"ethspec-eth_getBlockByNumber-finalized-hive-chain.json":             {54, 540, "27399063", 4},
		"ethspec-eth_getBlockByNumber-london-hive-chain.json":                {27, 270, "1000000000", 4},
		"ethspec-eth_getBlockByNumber-prague-hive-chain.json":                {45, 450, "90870291", 6},
		"ethspec-eth_getBlockByNumber-safe-hive-chain.json":                  {54, 540, "27399063", 4},
		"goerli-eth_subscription-newHeads-nethermind.json":                   {4409378, 1615275696, "", 0},
		"linea-eth_getBlockByNumber-32235911-2026-10-05.json":                {32235911, 1791192513, "7", 1},
		"optimism-eth_getBlockByNumber-157796868-2026-10-05.json":            {157796868, 1791192513, "12832", 28},
		"polygon-eth_getBlockByNumber-finalized-pip11.json":                  {45715, 1674213893, "7", 0},
		"polygon-eth_subscription-newHeads-61448039-2024-09-05.json":         {61448039, 1725527790, "57760", -1},
		"polygon-header-16269748-2021-06-29.json":                            {16269748, 1624931414, "", -1},
		"sepolia-eth_getBlockByNumber-5373095-excessBlobGas.json":            {5373095, 1709026812, "16697836305", 2},
		// The number in its name is that of its source; the file has 0x4fe4620.
		"polygon-header-83838496-2026-03-04.json": {83772960, 1772665951, "106934529902", -1},
	}
}

// refusedBlocks are those that a reader must not take, with what is wrong with them.
func refusedBlocks() map[string]string {
	return map[string]string{
		"avalanche-eth_getBlockByNumber-86192127-excerpt-2026-05-23.json":       "has no hash", // Left out of the excerpt.
		"base-eth_getBlockByNumber-pending-48104372-flashblock-2026-07-02.json": "has no hash", // Zero: it is not a block yet.
	}
}

// recordedHistories are the recorded fee histories, each with the number of its blocks.
func recordedHistories() map[string]int {
	return map[string]int{
		"bsc-eth_feeHistory-docs.json":                        1,
		"ethereum-eth_feeHistory-14608391-10blocks.json":      10,
		"ethereum-eth_feeHistory-19968486-4blocks-blobs.json": 4,
		"ethspec-eth_feeHistory-hive-chain.json":              1,
		"sepolia-eth_feeHistory-5382146-besu-blobs.json":      5,
		"sepolia-eth_feeHistory-5896527-blobs.json":           10,
	}
}

// otherRecordings are no blocks and no fee histories; each says what it is.
func otherRecordings() map[string]string {
	const notAsked = "this family does not ask for it"
	return map[string]string{
		"EXPECTED.json":                      "what was computed from the others",
		"INDEX.md":                           "a list",
		"ethspec-eth_config-hive-chain.json": "TestRecordedConfig",
		"ethspec-eth_getBlockByNumber-notfound-hive-chain.json":            "TestRecordedBlockNotFound",
		"abstracttestnet-zks_getL1BatchDetails-20302-finality-fields.json": notAsked,
		"arbitrum-errors-2026-05-23.json":                                  "TestSplitClientVersion has its version; it asks for no other of them",
		"arbitrum-eth_getTransactionReceipt-excerpt-2026-05-23.json":       notAsked,
		"base-eth_getTransactionReceipt-l1fields-2026.json":                notAsked,
		"ethereum-beacon-states-head-root-2026-10-05.json":                 notAsked,
		"ethereum-eth_gasPrice-2026-10-05.json":                            notAsked,
		"ethereum-log-starknet-LogStateUpdate-19432087.json":               notAsked,
		"ethspec-eth_baseFee-hive-chain.json":                              notAsked,
		"ethspec-eth_blobBaseFee-hive-chain.json":                          notAsked,
		"ethspec-eth_capabilities-hive-chain.json":                         notAsked,
		"ethspec-eth_getBlockReceipts-future-hive-chain.json":              notAsked,
		"ethspec-eth_getLogs-address-hive-chain.json":                      notAsked,
		"ethspec-eth_getLogs-error-future-range-hive-chain.json":           notAsked,
		"ethspec-eth_getLogs-error-hash-and-range-hive-chain.json":         notAsked,
		"ethspec-eth_getLogs-error-reversed-range-hive-chain.json":         notAsked,
		"ethspec-eth_getTransactionReceipt-1559-hive-chain.json":           notAsked,
		"ethspec-eth_getTransactionReceipt-blob-hive-chain.json":           notAsked,
		"ethspec-eth_syncing-false-hive-chain.json":                        notAsked,
		"opdevnet-optimism_syncStatus-2025-03-06.json":                     notAsked,
		"optimism-optimism_syncStatus-2024-04-16.json":                     notAsked,
		"zksync-zks_getBlockDetails-140599.json":                           notAsked,
		"zksync-zks_getL1BatchDetails-468355.json":                         notAsked,
	}
}

// otherNetworks are those whose recordings are no answers of Ethereum's JSON-RPC, by the beginning of the name.
func otherNetworks() []string {
	return []string{"bitcoin-", "mempoolspace-", "esplora-", "lnd-", "cln-", "polygonamoy-heimdall-"}
}

// A recording that is added is to be tested, or to be left out for a reason.
func TestEveryRecordingIsExpected(t *testing.T) {
	t.Parallel()
	missing := make(map[string]bool)
	add := func(name string) {
		if missing[name] {
			t.Errorf("%s is expected twice", name)
		}
		missing[name] = true
	}
	for name := range recordedBlocks() {
		add(name)
	}
	for name := range refusedBlocks() {
		add(name)
	}
	for name := range recordedHistories() {
		add(name)
	}
	for name := range otherRecordings() {
		add(name)
	}
	for _, name := range recordings(t) {
		switch {
		case missing[name]:
			delete(missing, name)
		case !isOfOtherNetwork(name):
			t.Errorf("%s is neither expected nor left out", name)
		}
	}
	for name := range missing {
		t.Errorf("%s is not there", name)
	}
}

func isOfOtherNetwork(name string) bool {
	for _, beginning := range otherNetworks() {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

func TestRecordedBlocks(t *testing.T) {
	t.Parallel()
	for name, want := range recordedBlocks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := recordedBlock(t, name)
			got := recordedHeader{number: b.number(), transactions: -1}
			when, _ := b.time()
			got.unix = when.Unix()
			if fee := b.baseFee(); fee != nil {
				got.baseFee = fee.String()
			}
			if b.Transactions != nil {
				got.transactions = int(*b.Transactions)
			}
			if got != want {
				t.Errorf("decoded as %+v, want %+v", got, want)
			}
			checkRecordedBlock(t, name, b)
		})
	}
}

// checkRecordedBlock compares what the engine gets with the recorded text itself.
func checkRecordedBlock(t *testing.T, name string, b *Block) {
	t.Helper()
	var text struct{ Hash, ParentHash string }
	if err := json.Unmarshal(recording(t, name), &text); err != nil {
		t.Fatal(err)
	}
	out := b.toBlock()
	if out.Hash.String() != text.Hash || out.Parent.String() != text.ParentHash {
		t.Errorf("hash %s, parent %s; recorded are %s, %s", out.Hash, out.Parent, text.Hash, text.ParentHash)
	}
	if out.Number != b.number() {
		t.Errorf("the number is %d", out.Number)
	}
	if out.Time.Location() != time.UTC {
		t.Errorf("the time is in %s", out.Time.Location())
	}
}

func TestRefusedRecordings(t *testing.T) {
	t.Parallel()
	for name, why := range refusedBlocks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b *Block
			if err := json.Unmarshal(recording(t, name), &b); err != nil {
				t.Fatal(err)
			}
			if err := b.validate(); err == nil || !strings.Contains(err.Error(), why) {
				t.Fatalf("judged as %v, want an error that it %s", err, why)
			}
		})
	}
}

// The pair is of two blocks in a row: their base fees prove the rule, their hashes the members.
func TestRecordedBlocksFollowEachOther(t *testing.T) {
	t.Parallel()
	parent := recordedBlock(t, "ethereum-eth_getBlockByNumber-15408561-pow.json")
	child := recordedBlock(t, "ethereum-eth_getBlockByNumber-15408562-pow.json")
	if child.toBlock().Parent != parent.toBlock().Hash || child.number() != parent.number()+1 {
		t.Errorf("block %d does not follow block %d", child.number(), parent.number())
	}
	if got := nextBaseFee("eip1559", parent); got == nil || got.Cmp(child.baseFee()) != 0 {
		t.Errorf("the next base fee is %s, the child's is %s", got, child.baseFee())
	}
}

func TestRecordedBlockNotFound(t *testing.T) {
	t.Parallel()
	b := &Block{Number: new(hexutil.Uint64)}
	if err := json.Unmarshal(recording(t, "ethspec-eth_getBlockByNumber-notfound-hive-chain.json"), &b); err != nil || b != nil {
		t.Errorf("decoded as %v, %v", b, err)
	}
}
