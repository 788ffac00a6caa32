/* A ring all-reduce as one writes it in MPI, for SMPI: reduce-scatter and all-gather, one MPI_Sendrecv a step, the
 * chunks of allreduce_ring.c. Nothing is added up: a simulator's seconds are asked for.
 *
 *     smpirun ... smpi_ring ELEMENTS     prints "START FINISH", simulated seconds, for each rank
 *
 * source      Patarasuk & Yuan, JPDC 69(2), 2009
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
  int rank, N;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &N);
  if (argc != 2) return 2;
  const int elements = (int)strtol(argv[1], NULL, 10), chunk = (elements + N - 1) / N; /* padded to equal size */
  float *x = calloc((size_t)chunk * (size_t)N, sizeof *x), *received = calloc((size_t)chunk, sizeof *received);
  if (x == NULL || received == NULL) return 1;
  const double start_s = MPI_Wtime();
  for (int k = 0; k < 2 * (N - 1); k++) {
    const int send = ((rank - k) % N + 2 * N) % N; /* the chunk that was received in the last step */
    MPI_Sendrecv(x + (size_t)send * (size_t)chunk, chunk, MPI_FLOAT, (rank + 1) % N, k, received, chunk, MPI_FLOAT,
                 (rank + N - 1) % N, k, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  printf("%.17g %.17g\n", start_s, MPI_Wtime());
  MPI_Finalize();
  free(x);
  free(received);
  return 0;
}
