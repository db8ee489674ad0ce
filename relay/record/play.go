package record

import (
	"context"
	"errors"
	"io"
	"time"
)

// Play calls f with each message from where the reader is, at the speed at which they came: 1 is that of the session, 2
// twice as fast. No pause is longer than longest, if that is above zero. It returns nil at the end.
func (r *Reader) Play(ctx context.Context, speed float64, longest time.Duration, f func(Block) error) error {
	if !(speed > 0) {
		return errors.New("record: play: the speed must be above zero")
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := time.Duration(-1)
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		pause := time.Duration(0)
		if last >= 0 {
			pause = time.Duration(float64(max(b.At-last, 0)) / speed)
		}
		if last = max(last, b.At); longest > 0 {
			pause = min(pause, longest)
		}
		if err := sleep(ctx, timer, pause); err != nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, timer *time.Timer, d time.Duration) error {
	if d > 0 {
		timer.Reset(d)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}
