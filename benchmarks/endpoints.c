/* Closed and open loops against endpoints in virtual time: what benchmarks/endpoints.py describes, a window at a call.

   One request is one event; times are seconds, as doubles. Nothing here is shared between loops. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED, EXPONENTIAL, LOGNORMAL, PARETO, SHARING, LOCK };

typedef struct {
  int32_t law, servers, batch, poisson;
  double mean_s, shape;          /* shape: sigma of the log-normal, exponent of Pareto */
  double limit_s;
  double pause_s, every_s;       /* nothing is begun for pause_s, every every_s */
  double quota, burst;           /* requests a second that are let in; 0: all */
  double grows_at_s;             /* twice the servers from then on */
  double cold_s, cold_times;     /* so many times slower until then */
  double drift_per_s;
  double batch_s, batch_each_s;  /* a batch takes batch_s + its size x batch_each_s, times a log-normal of sigma shape */
  double fails_at;               /* 1 % fail with so many in flight, by the third power; 0: none */
} Family;

typedef struct { double done_s, sent_s; int32_t kind; } Flight; /* kind: 0 served, 1 refused, 2 failed */

typedef struct {
  Family f;
  uint64_t s[4];
  double spare; int has_spare;
  double *free_s; int frees;
  Flight *flights; int flying, flights_room;
  double *waiting; int first, waits, waits_room;  /* of the batching server: sent_s, a ring */
  Flight *inside; int insides;                    /* its batch */
  double batch_done_s;
  double tokens, tokens_s, offset_s;
  double users, rate, begun_s, arrival_s, arrivals;
  int leaving;
  long k;
  double requests;
} Loop;

typedef struct { double n, ok, over, throttled, failed, sum_s; } Seen;

static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static uint64_t draw(Loop *l) { /* xoshiro256++, Blackman and Vigna 2019 */
  uint64_t *s = l->s, r = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
  s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotl(s[3], 45);
  return r;
}

static double uniform(Loop *l) { return ((draw(l) >> 11) + 0.5) / 9007199254740992.0; }

static double normal(Loop *l) {
  if (l->has_spare) { l->has_spare = 0; return l->spare; }
  double u, v, q;
  do { u = 2 * uniform(l) - 1; v = 2 * uniform(l) - 1; q = u * u + v * v; } while (q >= 1 || q == 0);
  q = sqrt(-2 * log(q) / q);
  l->spare = v * q; l->has_spare = 1;
  return u * q;
}

static double slower(Loop *l, double now_s) {
  return (1 + l->f.drift_per_s * now_s) * (now_s < l->f.cold_s ? l->f.cold_times : 1);
}

static double service(Loop *l, double now_s) {
  Family *f = &l->f;
  double n = l->flying + 1, m = f->mean_s * slower(l, now_s);
  switch (f->law) {
    case FIXED: return m;
    case EXPONENTIAL: return -m * log(uniform(l));
    case LOGNORMAL: return m * exp(f->shape * normal(l) - f->shape * f->shape / 2);
    case PARETO: return m * (f->shape - 1) / f->shape * pow(uniform(l), -1 / f->shape);
    case SHARING: return -m * log(uniform(l)) * n;
    default: return -m * log(uniform(l)) * (1 + 0.05 * (n - 1) + 0.002 * n * (n - 1));
  }
}

static void fly(Loop *l, Flight x) { /* a binary heap by done_s */
  if (l->flying == l->flights_room) {
    l->flights_room = 2 * l->flights_room + 64;
    l->flights = realloc(l->flights, l->flights_room * sizeof(Flight));
  }
  int i = l->flying++;
  while (i && l->flights[(i - 1) / 2].done_s > x.done_s) { l->flights[i] = l->flights[(i - 1) / 2]; i = (i - 1) / 2; }
  l->flights[i] = x;
}

static Flight land(Loop *l) {
  Flight top = l->flights[0], x = l->flights[--l->flying];
  int i = 0;
  for (;;) {
    int c = 2 * i + 1;
    if (c >= l->flying) break;
    if (c + 1 < l->flying && l->flights[c + 1].done_s < l->flights[c].done_s) c++;
    if (l->flights[c].done_s >= x.done_s) break;
    l->flights[i] = l->flights[c]; i = c;
  }
  l->flights[i] = x;
  return top;
}

static double after_pause(Loop *l, double at_s) {
  if (!l->f.pause_s) return at_s;
  double into_s = fmod(at_s + l->offset_s, l->f.every_s);
  return into_s < l->f.pause_s ? at_s + l->f.pause_s - into_s : at_s;
}

static void begin_batch(Loop *l, double at_s) {
  Family *f = &l->f;
  if (!l->waits || l->insides) return;
  at_s = after_pause(l, at_s);
  while (l->waits && l->insides < f->batch) {
    l->inside[l->insides++] = (Flight){0, l->waiting[l->first], 0};
    l->first = (l->first + 1) % l->waits_room; l->waits--;
  }
  double jitter = exp(f->shape * normal(l) - f->shape * f->shape / 2);
  l->batch_done_s = at_s + (f->batch_s + l->insides * f->batch_each_s) * jitter * slower(l, at_s);
}

static void wait_for_batch(Loop *l, double at_s) {
  if (l->waits == l->waits_room) {
    int room = 2 * l->waits_room + 64;
    double *ring = malloc(room * sizeof(double));
    for (int i = 0; i < l->waits; i++) ring[i] = l->waiting[(l->first + i) % l->waits_room];
    free(l->waiting);
    l->waiting = ring; l->first = 0; l->waits_room = room;
  }
  l->waiting[(l->first + l->waits) % l->waits_room] = at_s; l->waits++;
}

static void send_one(Loop *l, double at_s) {
  Family *f = &l->f;
  if (f->quota > 0) {
    l->tokens = fmin(f->burst, l->tokens + f->quota * (at_s - l->tokens_s)); l->tokens_s = at_s;
    if (l->tokens < 1) { fly(l, (Flight){at_s + 0.02, at_s, 1}); return; }
    l->tokens -= 1;
  }
  if (f->batch) { wait_for_batch(l, at_s); begin_batch(l, at_s); return; }
  if (f->servers && at_s >= f->grows_at_s && l->frees == f->servers) {
    while (l->frees < 2 * f->servers) l->free_s[l->frees++] = at_s;
  }
  int at = 0;
  double begin_s = at_s;
  if (f->servers) {
    for (int i = 1; i < l->frees; i++) if (l->free_s[i] < l->free_s[at]) at = i;
    begin_s = fmax(at_s, l->free_s[at]);
  }
  begin_s = after_pause(l, begin_s);
  double ratio = f->fails_at > 0 ? (l->flying + 1) / f->fails_at : 0;
  int kind = ratio > 0 && uniform(l) < 0.01 * ratio * ratio * ratio ? 2 : 0;
  double done_s = begin_s + service(l, begin_s);
  if (f->servers) l->free_s[at] = done_s;
  fly(l, (Flight){done_s, at_s, kind});
}

Loop *loop_new(const Family *f, uint64_t seed, double start_s) {
  Loop *l = calloc(1, sizeof(Loop));
  l->f = *f;
  for (int i = 0; i < 4; i++) { /* splitmix64 */
    uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL; z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    l->s[i] = z ^ (z >> 31);
  }
  l->frees = f->servers;
  l->free_s = malloc((2 * f->servers + 1) * sizeof(double));
  for (int i = 0; i < f->servers; i++) l->free_s[i] = start_s;
  l->inside = malloc((f->batch + 1) * sizeof(Flight));
  l->tokens = f->burst; l->tokens_s = start_s; l->k = lround(start_s);
  l->arrival_s = INFINITY;
  l->offset_s = uniform(l) * f->every_s;
  return l;
}

void loop_free(Loop *l) { free(l->free_s); free(l->flights); free(l->waiting); free(l->inside); free(l); }

void loop_users(Loop *l, int users) {
  int change = users - (int)l->users;
  l->users = users;
  if (change < 0) l->leaving -= change;
  for (; change > 0; change--) { if (l->leaving) l->leaving--; else send_one(l, (double)l->k); }
}

static void next_arrival(Loop *l) {
  l->arrivals += 1;
  l->arrival_s = l->f.poisson ? l->arrival_s - log(uniform(l)) / l->rate : l->begun_s + l->arrivals / l->rate;
}

void loop_rate(Loop *l, double rate) { /* instead of users: requests at their own times */
  l->rate = rate; l->begun_s = l->k; l->arrivals = 0; l->arrival_s = l->k;
  if (l->f.poisson) next_arrival(l);
}

static void finish(Loop *l, Flight x, Seen *seen) {
  int bad = x.kind || x.done_s - x.sent_s > l->f.limit_s + 1e-9;
  seen->n += 1; seen->over += bad; seen->throttled += x.kind == 1; seen->failed += x.kind != 0;
  if (!x.kind) { seen->ok += 1; seen->sum_s += x.done_s - x.sent_s; }
  if (l->rate > 0) return;
  if (l->leaving) l->leaving--; else send_one(l, x.done_s);
}

void loop_window(Loop *l, double length_s, Seen *seen) {
  double end_s = l->k + length_s;
  memset(seen, 0, sizeof(*seen));
  for (;;) {
    double flight_s = l->flying ? l->flights[0].done_s : INFINITY;
    double batch_s = l->insides ? l->batch_done_s : INFINITY;
    double next_s = fmin(fmin(flight_s, batch_s), l->arrival_s);
    if (next_s >= end_s) break;
    if (l->arrival_s == next_s) { double at_s = l->arrival_s; next_arrival(l); send_one(l, at_s); }
    else if (batch_s == next_s) {
      int m = l->insides;
      Flight batch[m];
      memcpy(batch, l->inside, m * sizeof(Flight));
      /* It is still busy while those who are answered send again: they are in the next batch. */
      for (int i = 0; i < m; i++) { batch[i].done_s = next_s; finish(l, batch[i], seen); }
      l->insides = 0;
      begin_batch(l, next_s);
    } else finish(l, land(l), seen);
  }
  l->k = lround(end_s);
  l->requests += seen->n;
}
