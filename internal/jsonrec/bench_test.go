package jsonrec

import (
	"testing"
)

func BenchmarkUnmarshalDevice(b *testing.B) {
	data := []byte(deviceText(7))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var d device
		if err := Unmarshal(data, &d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalNodes(b *testing.B) {
	data := nodesText(10_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var n nodes
		if err := Unmarshal(data, &n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendDevice(b *testing.B) {
	var d device
	data := []byte(deviceText(7))
	if err := Unmarshal(data, &d); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if data, err = Append(data[:0], &d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	data := nodesText(1000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPeek(b *testing.B) {
	data := []byte(deviceText(7))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Peek(data, "_id", "name"); err != nil {
			b.Fatal(err)
		}
	}
}
