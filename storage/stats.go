package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"hearth/settings"
	"hearth/storage/blob"
)

// stats prints the counters of all namespaces and of the store.
func stats(ctx context.Context, cfg *Settings, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("stats", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	prometheus := flags.Bool("prometheus", false, "print Prometheus' text format")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return &settings.Error{Err: fmt.Errorf("stats takes -prometheus and nothing else")}
	}
	var all []named
	err := each(ctx, cfg, func(name string, store blob.Store) error {
		s, err := store.Stats(ctx)
		if err != nil {
			return fmt.Errorf("reading statistics of namespace %s: %w", name, err)
		}
		all = append(all, named{name, s})
		return nil
	})
	if err != nil {
		return err
	}
	if *prometheus {
		printPrometheus(out, all)
	} else {
		printStats(out, all)
	}
	return nil
}

// named is the statistics of one namespace, of which some are the whole store's.
type named struct {
	name string
	blob.Stats
}

func printStats(out io.Writer, all []named) {
	for i, s := range all {
		if i == 0 {
			fmt.Fprintf(out, "store: %d bytes, %d bytes written, %d groups, commit p50 %v, p99 %v\n", s.StoreSize, s.DiskWritten,
				s.Groups, s.CommitP50.Round(time.Microsecond), s.CommitP99.Round(time.Microsecond))
		}
		fmt.Fprintf(out, "%s: %d batches of %d bytes, %d reads\n", s.name, s.Batches, s.LogicalBytes, s.Reads)
	}
}

// metric is one line's meaning in Prometheus' text format.
type metric struct {
	name, kind, help string
	value            func(blob.Stats) float64
}

func ofStore() []metric {
	return []metric{
		{"storage_size_bytes", "gauge", "Size of the store on the disk.", func(s blob.Stats) float64 { return float64(s.StoreSize) }},
		{"storage_disk_written_bytes_total", "counter", "Bytes sent to the disk.", func(s blob.Stats) float64 { return float64(s.DiskWritten) }},
		{"storage_groups_total", "counter", "Commit groups, of one sync each.", func(s blob.Stats) float64 { return float64(s.Groups) }},
		{"storage_commit_seconds_p50", "gauge", "Median time until a batch is durable.", func(s blob.Stats) float64 { return s.CommitP50.Seconds() }},
		{"storage_commit_seconds_p99", "gauge", "Time until 99 of 100 batches are durable.", func(s blob.Stats) float64 { return s.CommitP99.Seconds() }},
	}
}

func ofNamespace() []metric {
	return []metric{
		{"storage_batches_total", "counter", "Batches applied.", func(s blob.Stats) float64 { return float64(s.Batches) }},
		{"storage_batch_bytes_total", "counter", "Bytes of batches applied.", func(s blob.Stats) float64 { return float64(s.LogicalBytes) }},
		{"storage_reads_total", "counter", "Blobs and rows read, without scans.", func(s blob.Stats) float64 { return float64(s.Reads) }},
	}
}

func printPrometheus(out io.Writer, all []named) {
	for _, m := range ofStore() {
		m.head(out)
		if len(all) > 0 {
			fmt.Fprintf(out, "%s %g\n", m.name, m.value(all[0].Stats))
		}
	}
	for _, m := range ofNamespace() {
		m.head(out)
		for _, s := range all {
			fmt.Fprintf(out, "%s{namespace=%q} %g\n", m.name, s.name, m.value(s.Stats))
		}
	}
}

func (m *metric) head(out io.Writer) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
}
