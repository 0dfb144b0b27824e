using Drap.Core.Market.Packing;

namespace Drap.Cli.Bench.Packing;

/// <summary>
/// The optimum of a packing problem in which copies may be divided, by the simplex method with bounded variables on a dense tableau.
/// No choice of whole copies is worth more. Doubles: it judges decisions, it makes none.
/// </summary>
internal sealed class LinearBound
{
    private const double Epsilon = 1e-9;

    private readonly int rows, columns;
    private readonly double[,] tableau;
    private readonly double[] upper, basics, reduced;
    private readonly int[] basis;
    private double objective;

    public static double Of(PackingProblem problem) => new LinearBound(problem).Solve();

    private LinearBound(PackingProblem problem)
    {
        rows = problem.Dimensions;
        columns = problem.Items + rows;
        tableau = new double[rows, columns];
        upper = new double[columns];
        basics = new double[rows];
        reduced = new double[columns];
        basis = new int[rows];
        for (int i = 0; i < problem.Items; i++)
        {
            upper[i] = problem.Count(i);
            reduced[i] = problem.Value(i);
            for (int d = 0; d < rows; d++)
            {
                // An item that does not fit alone cannot be divided either: no whole copy of it is ever taken.
                if (problem.Need(i)[d] > problem.Capacity[d])
                    upper[i] = 0;
                tableau[d, i] = problem.Need(i)[d] / (double)Math.Max(problem.Capacity[d], 1);
            }
        }
        for (int d = 0; d < rows; d++)
        {
            tableau[d, problem.Items + d] = 1;
            upper[problem.Items + d] = double.PositiveInfinity;
            basics[d] = problem.Capacity[d] > 0 ? 1 : 0;
            basis[d] = problem.Items + d;
        }
    }

    private double Solve()
    {
        for (int step = 0; step < 100_000; step++)
        {
            int entering = 0;
            for (int j = 1; j < columns; j++)
                if (reduced[j] > reduced[entering])
                    entering = j;
            if (reduced[entering] <= Epsilon)
                return objective;
            Enter(entering);
        }
        throw new InvalidOperationException("the simplex method did not end within 100 000 steps");
    }

    private void Enter(int entering)
    {
        double longest = upper[entering];
        int leaving = -1;
        bool atUpper = false;
        for (int i = 0; i < rows; i++)
        {
            double slope = tableau[i, entering];
            double length = slope > Epsilon ? basics[i] / slope
                : slope < -Epsilon ? (upper[basis[i]] - basics[i]) / -slope
                : double.PositiveInfinity;
            if (length < longest)
                (longest, leaving, atUpper) = (length, i, slope < 0);
        }
        if (leaving < 0)
        {
            Complement(entering);
            return;
        }
        if (atUpper)
            ComplementBasic(leaving);
        Pivot(leaving, entering);
    }

    /// <summary>Counts a variable that is zero from its upper bound downwards instead.</summary>
    private void Complement(int column)
    {
        objective += reduced[column] * upper[column];
        reduced[column] = -reduced[column];
        for (int i = 0; i < rows; i++)
        {
            basics[i] -= tableau[i, column] * upper[column];
            tableau[i, column] = -tableau[i, column];
        }
    }

    private void ComplementBasic(int row)
    {
        basics[row] = upper[basis[row]] - basics[row];
        for (int j = 0; j < columns; j++)
            if (j != basis[row])
                tableau[row, j] = -tableau[row, j];
    }

    private void Pivot(int row, int column)
    {
        double pivot = tableau[row, column];
        for (int j = 0; j < columns; j++)
            tableau[row, j] /= pivot;
        basics[row] /= pivot;
        for (int i = 0; i < rows; i++)
            if (i != row && tableau[i, column] != 0)
            {
                double factor = tableau[i, column];
                for (int j = 0; j < columns; j++)
                    tableau[i, j] -= factor * tableau[row, j];
                basics[i] -= factor * basics[row];
            }
        double cost = reduced[column];
        for (int j = 0; j < columns; j++)
            reduced[j] -= cost * tableau[row, j];
        objective += cost * basics[row];
        basis[row] = column;
    }
}
