package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// point is a value from a time on.
type point struct {
	at    time.Time
	value float64
}

// column says where in a file a value stands; time is the column of the time, and rows with another value than zero in
// the column skip are left out.
type column struct {
	time, value, skip string
}

// errAbsent says that the history is not here.
var errAbsent = errors.New("the history is not here")

// readHistory reads the files that match a pattern, in the order of their names.
func readHistory(folder, pattern string, c column) ([]point, error) {
	files, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", pattern, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: no %s in %s", errAbsent, pattern, folder)
	}
	var points []point
	for _, file := range files {
		more, err := readFile(file, c)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Base(file), err)
		}
		points = append(points, more...)
	}
	return points, nil
}

// readFile reads a compressed table with a header.
func readFile(file string, c column) ([]point, error) {
	compressed, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = compressed.Close() }()
	text, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, err
	}
	rows := csv.NewReader(text)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}
	places := make(map[string]int)
	for i, name := range header {
		places[name] = i
	}
	var points []point
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return points, nil
		}
		if err != nil {
			return nil, err
		}
		if skip, ok := places[c.skip]; ok && row[skip] != "0" {
			continue
		}
		p, err := readPoint(row, places, c)
		if err != nil {
			return nil, err
		}
		// A block whose time is not after the one before: the first to be seen counts.
		if n := len(points); n == 0 || p.at.After(points[n-1].at) {
			points = append(points, p)
		}
	}
}

func readPoint(row []string, places map[string]int, c column) (point, error) {
	at, found := places[c.time]
	if !found {
		return point{}, fmt.Errorf("there is no column %s", c.time)
	}
	seconds, err := strconv.ParseInt(row[at], 10, 64)
	if err != nil {
		return point{}, err
	}
	value, found := places[c.value]
	if !found {
		return point{}, fmt.Errorf("there is no column %s", c.value)
	}
	v, err := strconv.ParseFloat(row[value], 64)
	return point{at: time.Unix(seconds, 0), value: v}, err
}
