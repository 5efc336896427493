package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"
)

// catchUp compares the speed at which the program catches up after an absence with a plain loop, at a real node.
func catchUp(s settings) ([]result, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	node := exec.CommandContext(context.Background(), "anvil", "--port", port, "--chain-id", "1337", "--silent")
	if err := node.Start(); err != nil {
		return nil, fmt.Errorf("start anvil, which .ci/tools installs: %w", err)
	}
	defer func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	}()
	url := "http://" + address
	network := watched{name: "chain", interval: time.Second, endpoints: []string{"url: '" + url + "'"}, more: "    backfill: 24h\n"}
	d, err := start(s, []watched{network})
	if err != nil {
		return nil, err
	}
	defer d.stop()
	if err := d.await(time.Minute, func() bool { return mine(url, 1) == nil }); err != nil {
		return nil, err
	}
	if err := d.await(time.Minute, func() bool { return d.counted() > 0 }); err != nil {
		return nil, err
	}
	d.halt()
	if err := mine(url, s.blocks); err != nil {
		return nil, err
	}
	if err := d.launch(); err != nil {
		return nil, err
	}
	took, err := d.catchesUp(float64(s.blocks))
	if err != nil {
		return nil, err
	}
	counted := d.counted()
	plain, err := plainLoop(url, s.blocks)
	if err != nil {
		return nil, err
	}
	ours := float64(s.blocks) / took.Seconds()
	return []result{
		{what: "blocks per second", value: ours},
		{what: "blocks per second of a loop over ethclient.BlockByNumber", value: plain},
		{what: "times as fast", value: ours / plain, limit: 5, atLeast: true, timed: true},
		{what: "not counted", value: float64(s.blocks) - counted, unit: exactly},
	}, nil
}

// mine has anvil make blocks.
func mine(url string, blocks int) error {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"anvil_mine","params":["0x%x","0x1"]}`, blocks)
	response, err := http.Post(url, "application/json", bytes.NewBufferString(body)) //nolint:noctx // It is on this machine.
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// counted is how many blocks the program has counted, or 0 while it can't be asked.
func (d *daemon) counted() float64 {
	m, err := d.metrics()
	if err != nil {
		return 0
	}
	return m.sum("layerwatch_blocks_total")
}

// catchesUp gives how long it took from the last moment at which nothing was counted until all was.
func (d *daemon) catchesUp(blocks float64) (time.Duration, error) {
	begin := time.Now()
	for end := begin.Add(5 * time.Minute); time.Now().Before(end); {
		asked := time.Now()
		switch counted := d.counted(); {
		case counted == 0:
			begin = asked
		case counted >= blocks:
			return time.Since(begin), nil
		}
	}
	return 0, errors.New("it did not catch up")
}

func plainLoop(url string, blocks int) (float64, error) {
	ctx := context.Background()
	client, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	begin := time.Now()
	for i := range blocks {
		if _, err := client.BlockByNumber(ctx, big.NewInt(int64(i+1))); err != nil {
			return 0, fmt.Errorf("read block %d: %w", i+1, err)
		}
	}
	return float64(blocks) / time.Since(begin).Seconds(), nil
}
