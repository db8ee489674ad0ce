package apf

import "sync"

// chunkSize makes a chunk fill a size class of the allocator.
const chunkSize = 16<<10 - 16

// chunk is a piece of a queue.
type chunk struct {
	next *chunk
	r, w int32 // what is between them is in the queue
	b    [chunkSize]byte
}

// chunks lets the queues of all channels share memory.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// queue is a queue of bytes that holds memory only while it holds bytes.
type queue struct {
	head, tail *chunk
	n          int
}

// write appends p.
func (q *queue) write(p []byte) {
	q.n += len(p)
	for len(p) > 0 {
		if q.tail == nil || q.tail.w == chunkSize {
			c := chunks.Get().(*chunk)
			if c.next, c.r, c.w = nil, 0, 0; q.tail == nil {
				q.head = c
			} else {
				q.tail.next = c
			}
			q.tail = c
		}
		n := copy(q.tail.b[q.tail.w:], p)
		q.tail.w += int32(n)
		p = p[n:]
	}
}

// peek returns the first bytes.
func (q *queue) peek() []byte {
	if q.head == nil {
		return nil
	}
	return q.head.b[q.head.r:q.head.w]
}

// skip drops the first n bytes, which are not more than peek returned.
func (q *queue) skip(n int) {
	q.n -= n
	c := q.head
	if c.r += int32(n); c.r < c.w {
		return
	}
	if q.head = c.next; q.head == nil {
		q.tail = nil
	}
	chunks.Put(c)
}

// take removes the first chunk, which the caller gives back to chunks.
func (q *queue) take() *chunk {
	c := q.head
	q.n -= int(c.w - c.r)
	if q.head = c.next; q.head == nil {
		q.tail = nil
	}
	return c
}

// read moves bytes into p.
func (q *queue) read(p []byte) int {
	n := 0
	for n < len(p) && q.n > 0 {
		k := copy(p[n:], q.peek())
		q.skip(k)
		n += k
	}
	return n
}

// moveTo appends the first n bytes, which are there, to b.
func (q *queue) moveTo(b []byte, n int) []byte {
	for n > 0 {
		p := q.peek()
		p = p[:min(len(p), n)]
		b = append(b, p...)
		q.skip(len(p))
		n -= len(p)
	}
	return b
}

// clear drops everything.
func (q *queue) clear() {
	for q.n > 0 {
		q.skip(len(q.peek()))
	}
}
