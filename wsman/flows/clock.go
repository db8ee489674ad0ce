package flows

import (
	"context"
	"time"

	"github.com/meshcentral-go/sdk/wsman/amt"
)

// Clock reads the device's clock, which has whole seconds. It is compared with Now at the time of the answer: ahead is positive if
// the device's clock is fast.
//
// Steps: GetLowAccuracyTimeSynch.
func (d *Device) Clock(ctx context.Context) (at time.Time, ahead time.Duration, err error) {
	at, read, err := d.begin("clock").clock(ctx)
	return at, at.Sub(read), err
}

// clock reads the device's clock, and ours when the answer was there.
func (f flow) clock(ctx context.Context) (at, read time.Time, err error) {
	err = f.do("read it", func() error {
		out, err := (&amt.TimeSynchronizationServiceGetLowAccuracyTimeSynch{}).Invoke(ctx, f.Client)
		if err != nil {
			return err
		}
		at, read = time.Unix(int64(out.Ta0), 0).UTC(), f.now().UTC()
		return nil
	})
	return at, read, err
}

// SetClock sets the device's clock by ours if it is off by more than tolerance, and returns by how much it was ahead. MeshCentral
// tolerates 10 seconds.
//
// Steps: GetLowAccuracyTimeSynch; SetHighAccuracyTimeSynch.
func (d *Device) SetClock(ctx context.Context, tolerance time.Duration) (ahead time.Duration, err error) {
	f := d.begin("clock")
	at, read, err := f.clock(ctx)
	if err != nil {
		return 0, err
	}
	ahead = at.Sub(read)
	if ahead.Abs() <= tolerance {
		return ahead, nil
	}
	return ahead, f.do("set it", func() error {
		in := &amt.TimeSynchronizationServiceSetHighAccuracyTimeSynch{
			Ta0: uint32(at.Unix()), Tm1: uint32(read.Unix()), Tm2: uint32(f.now().Unix()),
		}
		_, err := in.Invoke(ctx, f.Client)
		return err
	})
}
